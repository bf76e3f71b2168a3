"""The rounding of numbers in Python: to nearest, with subnormals, whatever mode the process has set."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .types import Array


@contextmanager
def ieee() -> Iterator[None]:
    """Round as IEEE 754 says and without warnings: in a with statement, or in a function as its decorator."""
    with _core.IeeeBlock(), np.errstate(all="ignore"):
        yield


def rounded(value: Any, dtype: npt.DTypeLike) -> Array:
    """Return a value as a new array of a dtype."""
    with _core.IeeeBlock(), np.errstate(all="ignore"):  # as `ieee` does, but in half the time
        return np.array(value, dtype)


def common(array: Array) -> Array:
    """Return an array in a dtype that all libraries have: in this machine's byte order, and of at most 64 bits."""
    if array.dtype.char == "g":
        return rounded(array, np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
