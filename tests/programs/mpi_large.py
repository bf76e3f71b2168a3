"""Messages reach beyond 2^31 bytes, where Open MPI's counts and places end. Most of the memory is never touched."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import numpy as np
from helpers.mpi_ranks import comm
from numpy_adagrad.inputs.aligned import CACHE_LINE
from numpy_adagrad.mpi.averaging import BUCKET_SIZE, Averaging
from numpy_adagrad.mpi.checkpoints import Division, _gather, _scatter
from numpy_adagrad.mpi.communicators import duplicate
from numpy_adagrad.mpi.layout import Layout
from numpy_adagrad.mpi.rows import exchange_rows, gather_rows

ROW = 1 << 30  # bytes


def check_buckets() -> None:
    """The last bucket of each slice arrives: that of the last slice lies beyond 2^31 bytes."""
    layout = Layout([((3 * ROW,), np.dtype(np.uint8))], comm.size)
    averaging = Averaging(duplicate(comm), layout, BUCKET_SIZE)
    buffer = layout.new_buffer()
    slices = buffer.reshape(comm.size, -1)
    last = len(averaging.buckets) - 1
    slices[:, -CACHE_LINE:] = comm.rank + 1
    averaging._start(buffer, last).Wait()
    received = averaging._received[last % 2][: comm.size * (averaging.buckets[last][1] - averaging.buckets[last][0])]
    assert received.reshape(comm.size, -1)[:, -1].tolist() == [*range(1, comm.size + 1)]
    averaging._start_collecting(buffer, last).Wait()
    assert slices[:, -1].tolist() == [*range(1, comm.size + 1)]


def check_counts() -> None:
    """Two ranks and rows of 1 GiB: no message is sent, only its counts and places are looked at."""
    rows = np.empty((3, ROW), np.uint8)
    division = Division(rows[:2], rows.shape, np.array([2 * ROW, ROW]))
    calls: dict[str, Callable[[Mock], object]] = {
        "Alltoallv": lambda two: exchange_rows(two, rows, np.array([2, 1])),
        "Allgatherv": lambda two: gather_rows(two, rows),
        "Gatherv": lambda two: _gather(two, rows[:2], rows, division),
        "Scatterv": lambda two: _scatter(two, rows, division, rows[:2]),
    }
    for name, call in calls.items():
        two = Mock(rank=0, size=2)
        two.Alltoall.side_effect = lambda sent, received: np.copyto(received, sent)
        two.Allgather.side_effect = lambda sent, received: np.copyto(received, sent)
        call(two)
        (sent, received, *_), _ = getattr(two, name).call_args
        assert max(map(largest, (sent, received))) < 1 << 31, name


def largest(message: list[Any]) -> int:
    """The largest count or place of a message, in units of its datatype."""
    data, *numbers, _ = message
    return max((int(np.max(number)) for number in numbers), default=data.nbytes)


check_buckets()
check_counts()
comm.Barrier()
if comm.rank == 0:
    print(f"{comm.size} ranks: beyond 2^31 bytes")
