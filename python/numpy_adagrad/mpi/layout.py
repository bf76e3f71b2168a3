"""Arrays in one buffer, which is divided into equal slices, one for each rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ..inputs.aligned import CACHE_LINE
from ..inputs.types import Array

Form: TypeAlias = "tuple[tuple[int, ...], np.dtype[Any]]"
"""The shape and dtype of an array."""


class Layout:
    """The places of arrays in a buffer of bytes: in their order, each at the beginning of a cache line.

    All slices have the same size, a multiple of a cache line. A slice may begin and end inside an array, but not inside
    an element.
    """

    def __init__(self, forms: Sequence[Form], ranks: int) -> None:
        self.forms = list(forms)
        self.starts = []
        end = 0
        for shape, dtype in self.forms:
            self.starts.append(end)
            end += _up_to_line(math.prod(shape) * dtype.itemsize)
        self.slice_size = _up_to_line(-(-end // ranks))
        self.size = self.slice_size * ranks

    def new_buffer(self) -> Array:
        """Return a buffer of zeros that begins at a cache line."""
        memory = np.zeros(self.size + CACHE_LINE, np.uint8)
        start = -memory.ctypes.data % CACHE_LINE
        return memory[start : start + self.size]

    def arrays(self, buffer: Array) -> list[Array]:
        """Return the arrays, as views of the buffer."""
        return [
            buffer[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
            for start, (shape, dtype) in zip(self.starts, self.forms, strict=True)
        ]

    def bounds(self, index: int, begin: int, end: int) -> tuple[int, int]:
        """Return which elements of an array lie between two bytes of the buffer, both of them multiples of a line."""
        shape, dtype = self.forms[index]
        first, last = (
            min(max((place - self.starts[index]) // dtype.itemsize, 0), math.prod(shape)) for place in (begin, end)
        )
        return first, last

    def parts(self, buffer: Array, rank: int) -> list[Array]:
        """Return of each array the elements in the slice of a rank, as flat views of the buffer; some are empty."""
        begin = rank * self.slice_size
        parts = []
        for i, array in enumerate(self.arrays(buffer)):
            first, last = self.bounds(i, begin, begin + self.slice_size)
            parts.append(array.reshape(-1)[first:last])
        return parts


def _up_to_line(size: int) -> int:
    return -(-size // CACHE_LINE) * CACHE_LINE
