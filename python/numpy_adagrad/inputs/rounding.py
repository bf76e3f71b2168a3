"""The rounding of numbers in Python: to nearest, with subnormals, whatever mode the process has set."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .. import _core


@contextmanager
def ieee() -> Iterator[None]:
    """Round as IEEE 754 says and without warnings: in a with statement, or in a function as its decorator."""
    with _core.IeeeBlock(), np.errstate(all="ignore"):
        yield
