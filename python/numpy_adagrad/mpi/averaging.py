"""The mean of gradients over ranks: sums in the order of the ranks, then one division by their number."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs.aligned import CACHE_LINE
from ..inputs.rounding import ieee
from ..inputs.types import Array
from .layout import Layout

if TYPE_CHECKING:
    from mpi4py import MPI

BUCKET_SIZE = 4 << 20
"""The default number of bytes that a rank receives at a time."""


def reals(array: Array) -> Array:
    """Return a contiguous array as one of real numbers: complex ones are added and divided by their parts."""
    return array.view(array.real.dtype)


class Averaging:
    """Averages over ranks a buffer that has the same layout on all of them.

    Each rank adds what all ranks have for its slice. MPI's own reductions do not say in which order they add, so that
    the bits of their sums differ between libraries, numbers of ranks and sizes of messages; they have no bfloat16
    either. An exchange followed by the sum sends as many bytes as the reduce-scatter that it replaces.

    The exchange is divided into buckets: while a bucket is added, the next one travels.
    """

    def __init__(self, comm: MPI.Intracomm, layout: Layout, bucket_size: int) -> None:
        self._comm, self._layout = comm, layout
        share = max(bucket_size // comm.size // CACHE_LINE, 1) * CACHE_LINE
        self._buckets = [(begin, min(begin + share, layout.slice_size)) for begin in range(0, layout.slice_size, share)]
        self._received = np.empty((min(2, len(self._buckets)), comm.size * min(share, layout.slice_size)), np.uint8)

    def average_slice(self, buffer: Array, skipped: Container[int] = ()) -> None:
        """Replace this rank's slice by the mean over ranks. The arrays with an index in `skipped` become undefined."""
        requests = []
        for number in range(len(self._buckets) + 1):
            if number < len(self._buckets):
                requests.append(self._start(buffer, number))
            if number > 0:
                requests[number - 1].Wait()
                self._add(buffer, number - 1, skipped)

    def _start(self, buffer: Array, number: int) -> Any:
        from mpi4py import MPI

        begin, end = self._buckets[number]
        ranks = np.arange(self._comm.size)
        counts = np.full(self._comm.size, end - begin)
        sent = [buffer, (counts, ranks * self._layout.slice_size + begin), MPI.BYTE]
        received = [self._received[number % 2], (counts, ranks * (end - begin)), MPI.BYTE]
        return self._comm.Ialltoallv(sent, received)

    @ieee()
    def _add(self, buffer: Array, number: int, skipped: Container[int]) -> None:
        layout, size = self._layout, self._comm.size
        begin, end = self._buckets[number]
        start = self._comm.rank * layout.slice_size
        received = self._received[number % 2][: size * (end - begin)].reshape(size, end - begin)
        for i, (_, dtype) in enumerate(layout.forms):
            first, last = layout.bounds(i, start + begin, start + end)
            if first == last or i in skipped:
                continue
            offset = layout.starts[i] + first * dtype.itemsize - start
            place = slice(offset, offset + (last - first) * dtype.itemsize)
            columns = slice(place.start - begin, place.stop - begin)
            total, *others = (reals(row[columns].view(dtype)) for row in received)
            for other in others:
                np.add(total, other, out=total)
            mean = reals(buffer[start:][place].view(dtype))
            np.divide(total, total.dtype.type(size), out=mean)


@ieee()
def total_norm(comm: MPI.Intracomm, norm: float) -> float:
    """Return the norm of all ranks' gradients, given that of this rank's: the same bits on every rank."""
    return math.sqrt(sum(part * part for part in comm.allgather(norm)))
