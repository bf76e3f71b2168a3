"""Memory for accumulators, placed so that a loop over parameter and accumulator is fast."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from .types import Array

CACHE_LINE, PAGE = 64, 4096
ALIGN_FROM = 16_384
"""In elements. In smaller arrays, a page more would be a large part."""


def empty_like(param: Array, dtype: np.dtype[Any]) -> Array:
    """Return an uninitialized array in the shape and order of `param`.

    In a large array, the elements that begin a cache line are those that begin one in `param`, and lie half a page
    further: a processor takes a load for one of a recent store if both have the same place in their pages. NumPy puts
    arrays of several megabytes on huge pages.
    """
    order: Literal["C", "F"] = "F" if param.flags.fnc else "C"
    if param.size < ALIGN_FROM or not (param.flags.c_contiguous or param.flags.fnc):
        return np.empty(param.shape, dtype, order)
    memory = np.empty(param.size * dtype.itemsize + PAGE, np.uint8)
    before_line = -param.ctypes.data % CACHE_LINE // param.itemsize  # elements
    shift = before_line * (param.itemsize - dtype.itemsize) + PAGE // 2
    start = (param.ctypes.data + shift - memory.ctypes.data) % PAGE
    placed = memory[start : start + param.size * dtype.itemsize]
    return placed.view(dtype).reshape(param.shape, order=order)
