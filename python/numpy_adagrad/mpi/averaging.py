"""The mean of gradients over ranks: sums in the order of the ranks, then one division by their number."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs.aligned import CACHE_LINE
from ..inputs.rounding import ieee
from ..inputs.types import Array
from .communicators import has_links
from .layout import Layout
from .rows import block, divide, reals

if TYPE_CHECKING:
    from mpi4py import MPI

BUCKET_SIZE = 4 << 20
"""The default number of bytes that a rank receives at a time."""


class Averaging:
    """Averages over ranks a buffer that has the same layout on all of them.

    Each rank adds what all ranks have for its slice. MPI's own reductions do not say in which order they add, so that
    the bits of their sums differ between libraries, numbers of ranks and sizes of messages; they have no bfloat16
    either. An exchange followed by the sum sends as many bytes as the reduce-scatter that it replaces.

    The exchange is divided into buckets: while a bucket is added, the next one travels. Between machines, so do the
    means of the one before it, or the parameters that have been updated with them (`overlaps`). In shared memory the
    processors carry the bytes, and to wait for other ranks at each bucket costs more than it saves.
    """

    def __init__(self, comm: MPI.Intracomm, layout: Layout, bucket_size: int) -> None:
        self._comm, self._layout = comm, layout
        share = max(bucket_size // comm.size // CACHE_LINE, 1) * CACHE_LINE
        self.buckets = [(begin, min(begin + share, layout.slice_size)) for begin in range(0, layout.slice_size, share)]
        self.overlaps = len(self.buckets) > 1 and has_links(comm)
        self._received = np.empty((min(2, len(self.buckets)), comm.size * min(share, layout.slice_size)), np.uint8)

    def average(self, buffer: Array, skipped: Container[int] = ()) -> Iterator[tuple[int, int]]:
        """Replace this rank's slice by the mean over ranks. The arrays with an index in `skipped` become undefined.

        Yields each bucket, as soon as it is averaged, with the number of real numbers that it has in this slice.
        """
        requests = []
        for number in range(len(self.buckets) + 1):
            if number < len(self.buckets):
                requests.append(self._start(buffer, number))
            if number > 0:
                requests.pop(0).Wait()
                yield number - 1, self._add(buffer, number - 1, skipped)

    def collect(self, buffer: Array, numbers: Iterable[int]) -> None:
        """Send this rank's slice to all others, bucket by bucket as `numbers` yields them, and receive theirs."""
        from mpi4py import MPI

        if not self.overlaps:
            for _ in numbers:
                pass
            self._comm.Allgather(MPI.IN_PLACE, [buffer, block(CACHE_LINE)])
            return
        requests = []
        for number in numbers:
            requests.append(self._start_collecting(buffer, number))
            if len(requests) > 2:
                requests.pop(0).Wait()
        for request in requests:
            request.Wait()

    def _start(self, buffer: Array, number: int) -> Any:
        begin, end = self._lines(number)
        ranks = np.arange(self._comm.size)
        counts = np.full(self._comm.size, end - begin)
        sent = [buffer, (counts, ranks * (self._layout.slice_size // CACHE_LINE) + begin), block(CACHE_LINE)]
        received = [self._received[number % 2], (counts, ranks * (end - begin)), block(CACHE_LINE)]
        return self._comm.Ialltoallv(sent, received)

    def _start_collecting(self, buffer: Array, number: int) -> Any:
        # MPICH's Iallgatherv would wait for this program between its steps, so that less of it would overlap. Open MPI
        # takes two buffers that begin at the same address for one that is sent in place.
        rank, size = self._comm.rank, self._comm.size
        begin, end = self._lines(number)
        places = np.arange(size) * (self._layout.slice_size // CACHE_LINE) + begin
        counts = np.full(size, end - begin)
        counts[rank] = 0
        first = places[1 if rank == 0 else 0]  # that others send
        sent = [buffer[places[rank] * CACHE_LINE :], (counts, np.zeros(size, int)), block(CACHE_LINE)]
        received = [buffer[first * CACHE_LINE :], (counts, np.maximum(places - first, 0)), block(CACHE_LINE)]
        return self._comm.Ialltoallv(sent, received)

    def _lines(self, number: int) -> tuple[int, int]:
        """Return where a bucket begins and ends in a slice, in cache lines."""
        begin, end = self.buckets[number]
        return begin // CACHE_LINE, end // CACHE_LINE

    @ieee()
    def _add(self, buffer: Array, number: int, skipped: Container[int]) -> int:
        layout, size = self._layout, self._comm.size
        begin, end = self.buckets[number]
        start = self._comm.rank * layout.slice_size
        received = self._received[number % 2][: size * (end - begin)].reshape(size, end - begin)
        count = 0
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
            divide(total, size, mean)
            count += mean.size
        return count


@ieee()
def total_norm(comm: MPI.Intracomm, norm: float) -> float:
    """Return the norm of all ranks' gradients, given that of this rank's: the same bits on every rank."""
    return math.sqrt(sum(part * part for part in comm.allgather(norm)))
