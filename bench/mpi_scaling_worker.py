"""One rank of `mpi_scaling.py`: `mpi_scaling_worker.py REQUESTS`, a file with a list of arguments of `measure`.

Rank 0 prints a list with the seconds of each round, those of the slowest rank, and the bytes that a rank sends; for
"memory", the bytes of the accumulators on each rank.
"""

import json
import sys
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy_adagrad import RowSparse, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.mpi import Replicated, Sharded, ShardedTable
from numpy_adagrad.mpi.averaging import BUCKET_SIZE, Averaging

comm = MPI.COMM_WORLD
Step = Callable[[], object]


class InTurn(Averaging):
    """Each bucket travels when the one before it has been added."""

    def average(self, buffer: Array, skipped: Container[int] = ()) -> Iterator[tuple[int, int]]:
        for number in range(len(self.buckets)):
            self._start(buffer, number).Wait()
            yield number, self._add(buffer, number, skipped)


class OnlyExchange(Averaging):
    def _add(self, buffer: Array, number: int, skipped: Container[int]) -> int:
        return 0


class OnlyAddition(Averaging):
    def average(self, buffer: Array, skipped: Container[int] = ()) -> Iterator[tuple[int, int]]:
        for number in range(len(self.buckets)):
            yield number, self._add(buffer, number, skipped)


AVERAGING = {"overlapped": Averaging, "in turn": InTurn, "exchange": OnlyExchange, "addition": OnlyAddition}


def dense(elements: int) -> tuple[Array, Array]:
    return np.zeros(elements, np.float32), np.random.default_rng(comm.rank).normal(size=elements).astype(np.float32)


def replicated(elements: int) -> Step:
    param, grad = dense(elements)
    opt = Replicated(TorchAdagrad([param]), comm)
    return lambda: opt.step([grad])


def sharded(elements: int) -> Step:
    param, grad = dense(elements)
    opt = Sharded(TorchAdagrad, [param], comm)
    return lambda: opt.step([grad])


def update(elements: int) -> Step:
    """A step of one process without MPI, on each rank."""
    param, grad = dense(elements)
    opt = TorchAdagrad([param])
    return lambda: opt.step([grad])


def averaging(kind: str, elements: int, dtype: str) -> Step:
    """The average of gradients alone."""
    opt = Sharded(TorchAdagrad, [np.zeros(elements, dtype)], comm)
    for own in opt._layout.arrays(opt._grads):
        own[...] = np.random.default_rng(comm.rank).normal(size=elements)
    made = AVERAGING[kind](opt._comm, opt._layout, BUCKET_SIZE)
    return lambda: list(made.average(opt._grads))


def random_rows(rows: int, batch: int, dim: int) -> RowSparse:
    rng = np.random.default_rng(comm.rank)
    return RowSparse(rng.integers(0, rows, batch), rng.normal(size=(batch, dim)).astype(np.float32))


def sharded_table(rows: int, batch: int, dim: int) -> Step:
    table = ShardedTable(rows, dim, comm, TorchAdagrad)
    grad = random_rows(rows, batch, dim)

    def step() -> None:
        table.lookup(grad.indices)
        table.step(grad)

    return step


def replicated_table(rows: int, batch: int, dim: int) -> Step:
    table = np.zeros((rows, dim), np.float32)
    opt = Replicated(TorchAdagrad([table]), comm)
    grad = random_rows(rows, batch, dim)

    def step() -> None:
        table[grad.indices]
        opt.step([grad])

    return step


STEPS: dict[str, Callable[..., Step]] = {
    "Replicated": replicated,
    "Sharded": sharded,
    "update": update,
    "averaging": averaging,
    "ShardedTable": sharded_table,
    "Replicated, rows": replicated_table,
}


def memory(elements: int) -> list[int]:
    """Return the bytes of the accumulators on each rank."""
    opt = Sharded(TorchAdagrad, [np.zeros(elements, np.float32)], comm)
    sizes: list[int] = comm.allgather(sum(slot.state["sum"].nbytes for slot in opt._local._slots))
    return sizes


def bytes_sent() -> int:
    """Return the bytes that this host has sent, or 0 without a link."""
    for line in Path("/proc/self/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "eth0":
            return int(counters.split()[8])
    return 0


def measure(step: str, rounds: int, **workload: Any) -> dict[str, Any]:
    if step == "memory":
        return {"bytes": memory(**workload)}
    call = STEPS[step](**workload)
    for _ in range(2):
        call()
    seconds = []
    comm.Barrier()
    before = bytes_sent()
    for _ in range(rounds):
        comm.Barrier()
        start = time.perf_counter()
        call()
        seconds.append(comm.allreduce(time.perf_counter() - start, MPI.MAX))
    sent = comm.allreduce(bytes_sent() - before) / comm.size / rounds
    return {"seconds": seconds, "bytes": sent}


def main() -> None:
    results = [measure(**request) for request in json.loads(Path(sys.argv[1]).read_text())]
    if comm.rank == 0:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
