"""A table whose rows are divided has the bits of one that every rank has. `mpi_table.py FOLDER`"""

import copy
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from helpers.bits import assert_same_bits
from helpers.dialects import DIALECTS, Dialect
from helpers.mpi_cases import error_of_all
from helpers.mpi_ranks import comm
from helpers.values import draw
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.mpi import Replicated, ShardedTable
from numpy_adagrad.mpi.rows import row_means

folder = Path(sys.argv[1])


def gradient(seed: int, rank: int, shape: tuple[int, int], dtype: Any, kind: str) -> RowSparse:
    """Rows of one rank, some of them several times; every third gradient has none."""
    rng = np.random.default_rng([seed, rank])
    count = 0 if (seed + rank) % 3 == 0 else 3 * rank + 11
    return RowSparse(rng.integers(0, shape[0], count).astype(np.int32), draw(rng, (count, shape[1]), dtype, kind))


def mapped(start: int, rows: Array) -> Array:
    """The rows of this rank in a file."""
    file = np.memmap(folder / f"{comm.size}-{start}.rows", rows.dtype, "w+", shape=rows.shape)
    file[...] = rows
    return file


def pair(dialect: Dialect, initial: Array, **options: Any) -> tuple[ShardedTable, Any]:
    def create(start: int, stop: int) -> Array:
        rows = initial[start:stop].copy()
        return mapped(start, rows) if rows.size and rows.dtype == np.float32 else rows

    arguments: dict[str, Any] = dialect.common | options
    table = ShardedTable(len(initial), initial.shape[1], comm, dialect.optimizer, create=create, **arguments)
    return table, Replicated(dialect.make({"table": initial.copy()}, **options), comm)


def assert_same(table: ShardedTable, replicated: Replicated, context: object) -> None:
    (slot,) = replicated.opt._slots
    rows = slice(table.start, table.stop)
    key = replicated.opt._accumulator
    assert table.steps == replicated.opt.steps
    assert_same_bits(table.local_rows, slot.param[rows], str(context))
    assert_same_bits(table._local.state[0][key], slot.state[key][rows], str(context))
    ids = np.random.default_rng(comm.rank).integers(0, len(slot.param), (comm.rank, 7))
    assert_same_bits(table.lookup(ids), slot.param[ids], str(context))


def check_steps(dialect: Dialect, shape: tuple[int, int], dtype: Any, kind: str) -> None:
    table, replicated = pair(dialect, draw(np.random.default_rng(0), shape, dtype, "normal"))
    for seed in range(3):
        own = gradient(seed, comm.rank, shape, dtype, kind)
        table.step(own, grad_scale=2.0)
        replicated.step([own], grad_scale=2.0)
        assert_same(table, replicated, (dialect, shape, dtype, kind, seed))


def check_norms(dialect: Dialect) -> None:
    """The norm is the root of the summed squares of the ranks' norms. A rank takes that of the means of its rows."""
    table, _ = pair(dialect, draw(np.random.default_rng(0), (23, 5), np.float32, "normal"))
    own = gradient(1, comm.rank, (23, 5), np.float32, "normal")
    first, *others = (gradient(1, rank, (23, 5), np.float32, "normal") for rank in range(comm.size))
    everyone = sum(others, start=first)
    rows, means = row_means(everyone.indices, everyone.values, comm.size)
    here = (table.start <= rows) & (rows < table.stop)
    part = copy.deepcopy(table._local)
    part.step([RowSparse(rows[here] - table.start, means[here])], max_norm=0.5)
    table.step(own, max_norm=0.5)
    assert table.grad_norm is not None
    assert comm.allgather(table.grad_norm) == [table.grad_norm] * comm.size
    assert table.grad_norm == math.sqrt(sum(norm * norm for norm in comm.allgather(part.grad_norm)))
    before = table.local_rows.copy()
    own.values[...] = np.inf
    table.step(own, on_nonfinite="skip")
    assert table.skipped_steps == 1
    assert_same_bits(table.local_rows, before)


def check_files(dialect: Dialect) -> None:
    """A saved table loads into another one, and into the optimizer of one process."""
    initial = draw(np.random.default_rng(0), (23, 5), np.float32, "normal")
    table, replicated = pair(dialect, initial)
    for seed in range(2):
        own = gradient(seed, comm.rank, (23, 5), np.float32, "normal")
        table.step(own)
        replicated.step([own])
    path = folder / f"{dialect}-{comm.size}.safetensors"
    table.save(path, extra={"epoch": 1})
    other, alone = pair(dialect, np.zeros_like(initial))
    assert other.load(path) == alone.opt.load(path, parameters=True) == {"epoch": 1}
    assert_same(other, replicated, dialect)
    assert_same(table, alone, dialect)


def check_whole_numbers(dialect: Dialect) -> None:
    """Those of NumPy count as Python's own, also where they would wrap."""
    for rows in (np.uint8(23), np.uint64(23)):
        table = ShardedTable(rows, rows, comm, dialect.optimizer)  # type: ignore[arg-type]
        assert comm.allreduce(table.stop - table.start) == 23
        assert table.lookup([22]).shape == (1, 23)


def check_errors(dialect: Dialect) -> None:
    last = comm.size - 1
    table, replicated = pair(dialect, np.zeros((23, 5), np.float32))

    def both(right: Any, wrong: Any) -> Any:
        return wrong if comm.rank == last else right

    block = -(-9 // comm.size)
    shape = (min(9, comm.size * block) - min(9, last * block), 5)
    ones = RowSparse([1], np.ones((1, 5), np.float32))
    minus_one, double = RowSparse([-1], ones.values), RowSparse([1], np.ones((1, 5)))
    wrong_rows = both(None, lambda *_: np.zeros(3))
    expected = "expected indices in [0, 23), got"
    too_many = "expected fewer than 2**63 elements"
    errors: dict[str, Callable[[], object]] = {
        f"IndexError: rank {last}: ids: {expected} 23 at position 1": lambda: table.lookup(both([0], [9, 23])),
        f"TypeError: rank {last}: ids: expected int32 or int64, got float64": lambda: table.lookup(both([0], [0.5])),
        f"IndexError: rank {last}: grad.indices: {expected} -1 at position 0": lambda: table.step(
            both(ones, minus_one)
        ),
        f"TypeError: rank {last}: grad.values: expected float32, got float64": lambda: table.step(both(ones, double)),
        f"TypeError: rank {last}: grad: expected a RowSparse, got NoneType": lambda: table.step(both(ones, None)),
        f"ValueError: rank {last}: rows: expected a whole number above 0, got 0": lambda: ShardedTable(
            both(9, 0), 5, comm, dialect.optimizer
        ),
        f"ValueError: rank {last}: rows: {too_many}, got {2**70} rows of 5": lambda: ShardedTable(
            both(9, 2**70), 5, comm, dialect.optimizer
        ),
        f"ValueError: rank {last}: create: expected shape {shape}, got (3,)": lambda: ShardedTable(
            9, 5, comm, dialect.optimizer, create=wrong_rows
        ),
    }
    for message, action in errors.items():
        assert error_of_all(comm, action) == message
        assert_same(table, replicated, message)


for dialect in DIALECTS.values():
    for dtype in (np.dtype(name) for name in ("float16", "bfloat16", "float32", "float64")):
        for kind in ("normal", "wide", "awkward"):
            check_steps(dialect, (23, 5), dtype, kind)
    check_steps(dialect, (2, 3), np.dtype(np.float32), "normal")  # the last ranks have no rows
    check_norms(dialect)
    check_files(dialect)
    check_whole_numbers(dialect)
    check_errors(dialect)
comm.Barrier()
if comm.rank == 0:
    print(f"{comm.size} ranks: same bits")
