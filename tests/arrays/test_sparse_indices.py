"""The indices of a sparse gradient are sorted: any number of them, in any order, of small tables and large ones."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.errors import raises_unchanged
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array
from threadpoolctl import threadpool_limits

CHUNK = 8192  # indices that one thread counts at a time, or a 64th of all
DIGIT = 2**11  # the most rows that one pass tells apart

Make: TypeAlias = Callable[[np.random.Generator], tuple[int, Array]]


def drawn(rows: int, count: int) -> Make:
    """The first and the last row among others."""
    return lambda rng: (rows, np.append([rows - 1, 0], rng.integers(0, rows, count - 2)))


# The number of rows of a table, and indices.
INDICES: dict[str, Make] = {
    **{f"{count}": drawn(100, count) for count in (2, 511, 512, 513, CHUNK, CHUNK + 1)},
    **{
        f"as_high_as_{rows - 1}": drawn(rows, 600)
        for rows in (1, 2, DIGIT, DIGIT + 1, 2 * DIGIT + 1, DIGIT**2, DIGIT**2 + 1)
    },
    "long_chunks": drawn(10_000, 64 * CHUNK + 1),
    "ascending_runs": lambda rng: (CHUNK, np.tile(np.arange(CHUNK), 2)),
    "runs_that_meet": lambda rng: (CHUNK, np.repeat(np.arange(CHUNK), 3)),
    "descending": lambda rng: (40_000, np.arange(40_000)[::-1]),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("make", INDICES.values(), ids=INDICES)
def test_any_order(dialect: Dialect, make: Make, threads: int) -> None:
    """The same bits as in ascending order, where values of one row follow each other as given."""
    rng = np.random.default_rng(1)
    rows, indices = make(rng)
    values, order = rng.standard_normal(len(indices)), np.argsort(indices, kind="stable")
    vectors = np.ones(rows), np.ones(rows)
    with threadpool_limits(threads, user_api="openmp"):
        dialect.make(vectors[0]).step(RowSparse(indices, values))
        dialect.make(vectors[1]).step(RowSparse(indices[order], values[order]))
    assert_same_bits(*vectors)
    assert np.flatnonzero(vectors[0] != 1).tolist() == sorted(set(indices.tolist()))


@pytest.mark.parametrize("dtype", ["i4", "i8"])
@pytest.mark.parametrize("wrong", [-1, 50])
@pytest.mark.parametrize("position", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_a_wrong_index_at_any_position(dialect: Dialect, position: int, wrong: int, dtype: str) -> None:
    vector, indices = np.ones(50), (np.arange(3 * CHUNK + 1) % 50).astype(dtype)
    indices[position] = wrong
    grad = RowSparse(indices, np.ones(len(indices)))
    optimizer = dialect.optimizer([vector])
    label = dialect.label("grads", 0)
    message = f"{label}.indices: expected rows in [0, 50), got {wrong} at position {position}"
    raises_unchanged(optimizer, IndexError, message, partial(optimizer.step, [grad]))
