"""The distance between the elements of two rules after a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Distances = npt.NDArray[np.float64]


class Distance(NamedTuple):
    """The absolute differences between the elements of two rules after a step."""

    largest: float
    median: float
    element: int
    """The index of the largest, in the flat order of all parameters."""
    not_finite: int = 0
    """How many elements are NaN or infinite under a rule."""


def distance(one: Floats, other: Floats) -> Distance:
    """Compare two arrays of the same length.

    The distance of equal infinities and of two NaNs is 0. Any other that is not finite counts as infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.migration.distance import distance
    >>> distance(np.float32([1, 2, 3]), np.float32([1, 2.5, 1]))
    Distance(largest=2.0, median=0.5, element=2, not_finite=0)
    """
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        differences = np.abs(np.subtract(one, other, dtype=np.float64))
    differences = np.where(same, 0, np.nan_to_num(differences, nan=np.inf, posinf=np.inf))
    element = int(differences.argmax())
    not_finite = int(np.count_nonzero(~(np.isfinite(one) & np.isfinite(other))))
    return Distance(float(differences[element]), float(np.median(differences)), element, not_finite)


def first_beyond(after_steps: Sequence[Distance], tolerance: float) -> int | None:
    """Return the first step, counted from 1, whose largest distance is more than the tolerance.

    Examples
    --------
    >>> from numpy_adagrad.migration.distance import Distance, first_beyond
    >>> first_beyond([Distance(0.1, 0, 0), Distance(0.3, 0, 0)], tolerance=0.2)
    2
    """
    return next((step for step, one in enumerate(after_steps, 1) if one.largest > tolerance), None)


def element_name(start: dict[str, Floats], element: int) -> str:
    """Name an element of the flat order.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.migration.distance import element_name
    >>> element_name({"b": np.zeros(4, np.float32), "W": np.zeros((2, 3), np.float32)}, 9)
    'W[1, 2]'
    """
    for name, array in start.items():
        if element < array.size:
            index = ", ".join(map(str, np.unravel_index(element, array.shape)))
            text = name if name.isprintable() else repr(name)  # files may hold any names
            return f"{text}[{index}]" if array.ndim else text
        element -= array.size
    raise IndexError("element: expected an index of an element, got a larger one")
