"""Memory for accumulators, placed so that a loop over parameter and accumulator crosses few cache lines."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from .types import Array

CACHE_LINE = 64
ALIGN_FROM = 2048
"""Smaller arrays are updated in one loop, wherever they begin."""


def empty_like(param: Array, dtype: np.dtype[Any]) -> Array:
    """Return an uninitialized array in the shape and order of `param`.

    In a large array, the elements that begin a cache line are those that begin one in `param`. NumPy puts arrays of
    several megabytes on huge pages.
    """
    order: Literal["C", "F"] = "F" if param.flags.fnc else "C"
    if param.size < ALIGN_FROM or not (param.flags.c_contiguous or param.flags.fnc):
        return np.empty(param.shape, dtype, order)
    memory = np.empty(param.size * dtype.itemsize + CACHE_LINE, np.uint8)
    before_line = -param.ctypes.data % CACHE_LINE // param.itemsize  # elements
    start = -(memory.ctypes.data + before_line * dtype.itemsize) % CACHE_LINE
    placed = memory[start : start + param.size * dtype.itemsize]
    return placed.view(dtype).reshape(param.shape, order=order)
