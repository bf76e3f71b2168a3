"""Sparse gradients: order, layout and splitting change nothing, and nothing around the rows is written."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.interpreters import program
from helpers.values import KINDS, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._slots import Allocate
from scipy import sparse
from threadpoolctl import threadpool_limits

ONES = np.ones((2, 3), np.float32)


def stepped(dialect: Dialect, param: Array, *grads: Any) -> Array:
    """The parameter after a step with each of the gradients."""
    param = param.copy()
    optimizer = dialect.make([param])
    for grad in grads:
        optimizer.step([grad])
    return param


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 60), width=st.integers(1, 20), in_halves=st.booleans())
def test_order_and_splitting_change_nothing(
    dialect: Dialect, seed: int, count: int, width: int, in_halves: bool
) -> None:
    """Unique rows in another order and a table cut in two, by rows or by columns, give the same bits."""
    rng = np.random.default_rng(seed)
    table, rows = rng.standard_normal((60, width)), rng.permutation(60)[:count]
    values = rng.standard_normal((count, width))
    expected = stepped(dialect, table, RowSparse(rows, values))
    shuffled = rng.permutation(count)
    assert_same_bits(stepped(dialect, table, RowSparse(rows[shuffled], values[shuffled])), expected)
    if in_halves:
        low = rows < 30
        parts = [RowSparse(rows[low], values[low]), RowSparse(rows[~low] - 30, values[~low])]
        cut = [table[:30].copy(), table[30:].copy()]
        joined: Callable[[list[Array]], Array] = np.concatenate
    else:
        parts = [RowSparse(rows, values[:, : width // 2]), RowSparse(rows, values[:, width // 2 :])]
        cut = [table[:, : width // 2].copy(), table[:, width // 2 :].copy()]
        joined = np.hstack
    dialect.make(cut).step(parts)
    assert_same_bits(joined(cut), expected)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 8, 16, 17, 64, 100, 768, 5000])
def test_rows_that_come_often_or_seldom(dialect: Dialect, width: int, threads: int) -> None:
    """Values that do not lie in one piece are added row by row, others in the order given: the bits are the same."""
    rng = np.random.default_rng(width)
    dtype = str(rng.choice(["float16", "float32", "float64"]))
    count = max(600, 200_000 // width)
    often, once, twice = rng.integers(0, 20, 100), np.arange(600), np.repeat(np.arange(500), 2)
    draws = [rng.integers(0, 100, count), rng.zipf(1.3, count) % 2000, rng.integers(0, 2, count), rng.permutation(2000)]
    draws += [rng.permutation(np.concatenate([often, others])) for others in (once, twice)]
    draws += [often, np.tile(often, 10), np.concatenate([np.tile(often, 10), draws[3]])]  # the last: only at first
    length = 2000 if width > 16 else 40_000
    seldom = rng.integers(0, length, length // 4 + 12)
    seldom[-1] = seldom[0]
    draws += [seldom, rng.permutation(length)[:1500]]  # of these, none comes twice
    table = draw(rng, (length, width), dtype, "normal")
    with threadpool_limits(threads, user_api="openmp"), np.errstate(all="ignore"):
        for rows in draws:
            values = draw(rng, (len(rows), width), dtype, str(rng.choice(KINDS)))
            apart = np.repeat(values, 2, axis=1)[:, ::2]
            for options in ({}, {"max_norm": 1.0}):
                results = []
                for each in (values, apart):
                    param = table.copy()
                    optimizer = dialect.make([param])
                    for _ in range(2):  # the second one finds sums of the first
                        optimizer.step([RowSparse(rows, each)], **options)
                    results.append([param, dialect.accumulator(optimizer, 0), np.float64(optimizer.grad_norm or 0)])
                for actual, expected in zip(*results, strict=True):
                    assert_same_bits(actual, expected)


def test_more_frequent_rows_than_have_room_for_sums(dialect: Dialect) -> None:
    """There is room for the 1,000 rows that come 8 times, but not for the 2,000 that come 4 times."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.concatenate([np.tile(np.arange(1000), 8), np.tile(np.arange(1000, 3000), 4)]))
    values = draw(rng, (len(rows), 1024), "float32", "normal")
    apart = np.repeat(values, 2, axis=1)[:, ::2]
    params = [np.zeros((3000, 1024), np.float32) for _ in range(2)]
    for param, each in zip(params, (values, apart), strict=True):
        dialect.make([param]).step([RowSparse(rows, each)])
    assert_same_bits(params[0], params[1])


@pytest.mark.parametrize("width", [4, 64, 768])
def test_frequent_rows_of_several_tables(dialect: Dialect, width: int) -> None:
    """Two threads add the rows of two tables, or number and add those of one: the bits are the same."""
    rng = np.random.default_rng(width)
    grads = [
        RowSparse(rng.integers(0, 100, count), rng.standard_normal((count, width), np.float32))
        for count in (9000, 7000)
    ]
    tables = [np.ones((2000, width), np.float32) for _ in grads]
    with threadpool_limits(2, user_api="openmp"):
        alone = [stepped(dialect, *pair, pair[1]) for pair in zip(tables, grads, strict=True)]
        together = dialect.make(tables)
        for _ in range(2):
            together.step(grads)
    for actual, expected in zip(tables, alone, strict=True):
        assert_same_bits(actual, expected)


def test_frequent_rows_of_changing_types(dialect: Dialect) -> None:
    """Sums of wider values need more memory than those of the step before."""
    rng = np.random.default_rng(3)
    rows = rng.permutation(np.repeat(np.arange(3000), 4))
    steps = [rng.standard_normal((len(rows), 600)).astype(dtype) for dtype in ("float16", "float32", "float16")]
    table = np.ones((3000, 600), np.float32)
    together = stepped(dialect, table, *(RowSparse(rows, values) for values in steps))
    apart = stepped(dialect, table, *(RowSparse(rows, np.repeat(values, 2, axis=1)[:, ::2]) for values in steps))
    assert_same_bits(together, apart)


def test_layouts(dialect: Dialect) -> None:
    """Tables, values and indices of any strides."""
    rng = np.random.default_rng(2)
    table, rows, values = rng.standard_normal((30, 6)), rng.integers(0, 30, 50), rng.standard_normal((50, 6))
    expected = stepped(dialect, table, RowSparse(rows, values))
    wide, long = np.zeros((30, 12)), np.zeros(100, np.int32)
    wide[:, ::2], long[::2] = table, rows
    for place in (wide[:, ::2], np.asfortranarray(table), table[::-1].copy()[::-1]):
        for grad in (RowSparse(rows, np.asfortranarray(values)), RowSparse(long[::2], np.repeat(values, 2, 1)[:, ::2])):
            before = place.copy()
            dialect.make([place]).step([grad])
            assert_same_bits(np.ascontiguousarray(place), expected)
            place[...] = before
    assert not wide[:, 1::2].any()


def test_an_empty_gradient_counts_as_a_step(dialect: Dialect) -> None:
    table = np.ones((4, 3), np.float32)
    optimizer, stepped_once = dialect.make({"w": table}), dialect.make({"w": table.copy()})
    optimizer.step({"w": RowSparse([], np.zeros((0, 3), np.float32))})
    stepped_once.step([table.copy()])
    assert_same_bits(table, np.ones((4, 3), np.float32))
    assert dialect.steps(optimizer) == dialect.steps(stepped_once)
    empty = np.zeros((0, 3), np.float32)
    dialect.make([empty]).step([RowSparse(np.zeros(0, np.int32), empty.copy())])


def test_rows_without_elements(dialect: Dialect) -> None:
    """More of them than fit into a batch of narrow rows; they were written beyond it."""
    optimizer = dialect.optimizer([np.ones((2000, 0), np.float32)])
    optimizer.step([RowSparse(np.arange(2000), np.ones((2000, 0), np.float32))])
    assert optimizer.steps == 1


def test_a_bare_parameter(dialect: Dialect) -> None:
    """An optimizer of one array takes one gradient; an optimizer of a list takes a list."""
    w, rows = np.zeros((3, 2), np.float32), RowSparse([1], ONES[:1, :2])
    dialect.optimizer(w).step(rows)
    assert (w < 0).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    with pytest.raises(TypeError, match="got one array"):
        dialect.optimizer([w]).step(rows)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_on_nonfinite(dialect: Dialect, value: float) -> None:
    w = np.ones((3, 2))
    optimizer, bad = dialect.make([w]), RowSparse([0, 0], np.array([[1, 2], [value, 0]]))
    with pytest.raises(FloatingPointError):
        optimizer.step([bad], on_nonfinite="raise")
    optimizer.step([bad], on_nonfinite="skip")
    assert (w == 1).all()
    assert optimizer.skipped_steps == 1
    optimizer.step([RowSparse([2], np.ones((1, 2)))], on_nonfinite="skip")
    assert (w[:2] == 1).all()
    assert (w[2] < 1).all()


def test_elements_stored_twice_are_summed_in_their_order(dialect: Dialect) -> None:
    values = np.array([1e8, 1, -1e8, 3], np.float32)
    twice = sparse.coo_array((values, ([1, 1, 1, 0], [2, 2, 2, 0])), (2, 3))
    total = np.float32(values[0] + values[1]) + values[2]
    once = sparse.coo_array((np.array([3, total], np.float32), ([0, 1], [0, 2])), (2, 3))
    table = np.ones((2, 3), np.float32)
    assert_same_bits(stepped(dialect, table, twice), stepped(dialect, table, once))


GUARD = 16


def guarded(rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike) -> tuple[Array, Callable[[], bool]]:
    """An array between guard bytes, and whether these are intact."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.frombuffer(bytearray(b"\xa5" * (size + 2 * GUARD)), np.uint8)
    array = room[GUARD : GUARD + size].view(dtype).reshape(shape)
    array[...] = rng.standard_normal(shape)
    return array, lambda: (room[:GUARD] == 0xA5).all() and (room[GUARD + size :] == 0xA5).all()


def returning(array: Array) -> Allocate:
    """An `allocate` that returns this array."""
    return lambda param, dtype, value: array


def test_guard_bytes(dialect: Dialect) -> None:
    """500 cases of random shapes; rows without a gradient are left alone too."""
    rng = np.random.default_rng(9)
    for _ in range(500):
        shape = tuple(rng.integers(1, 12, rng.integers(1, 4)))
        dtype = rng.choice(["f4", "f8"])
        count = int(rng.integers(0, 40))
        table, table_intact = guarded(rng, shape, dtype)
        values, values_intact = guarded(rng, (count, *shape[1:]), dtype)
        sums, sums_intact = guarded(rng, shape, dtype)
        sums[...] = 1
        indices = rng.integers(0, shape[0], count)
        start, start_values = table.copy(), values.copy()
        dialect.make([table], allocate=returning(sums)).step([RowSparse(indices, values)])
        assert table_intact()
        assert sums_intact()
        assert values_intact()
        assert_same_bits(values, start_values)
        untouched = np.setdiff1d(np.arange(shape[0]), indices)
        assert_same_bits(table[untouched], start[untouched])
        assert (sums[untouched] == 1).all()


def test_a_file_cut_short(dialect: Dialect) -> None:
    """It is an error before the step would end the process."""
    table, sums = 4096 + 4096 * 32, 4096 + 4086 * 32
    assert program("cut_short", dialect).splitlines() == [
        "True 8",
        f"params[0]: expected a file of {table} bytes, got one cut short to {table - 1}",
        f"{dialect.optimizer._accumulator}[0]: expected a file of {sums} bytes, got one cut short to {sums - 1}",
    ]


@pytest.mark.parametrize("form", ["coo", "csr"])
def test_one_dimensional_scipy_gradient(dialect: Dialect, form: str) -> None:
    """It has the shape of its parameter, like any gradient."""
    grad = sparse.coo_array((np.array([2.0, 3.0]), (np.array([3, 1]),)), (5,)).asformat(form)
    assert grad.shape == (5,)
    w = np.arange(5.0)
    assert_same_bits(stepped(dialect, w, grad), stepped(dialect, w, RowSparse([1, 3], np.array([3.0, 2.0]))))
    with pytest.raises(ValueError, match=r"expected shape \(5,\), got \(5, 1\)"):
        dialect.make([w]).step([sparse.csr_array(np.ones((5, 1)))])


def test_scipy_gradient_of_a_parameter_with_three_dimensions(dialect: Dialect) -> None:
    w = np.arange(24.0).reshape(2, 3, 4)
    places = np.array([1, 0]), np.array([2, 1]), np.array([3, 0])
    flat = sparse.coo_array((np.ones(2), (places[0], places[1] * 4 + places[2])), (2, 12))
    expected = stepped(dialect, w.reshape(2, 12), flat).reshape(w.shape)
    assert np.count_nonzero(expected != w) == 2
    assert_same_bits(stepped(dialect, w, sparse.coo_array((np.ones(2), places), w.shape)), expected)


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_scipy_gradient_with_empty_rows_and_columns(dialect: Dialect, form: str) -> None:
    """Lines without an entry are passed over, many at once."""
    w = np.arange(10_000.0).reshape(100, 100)
    for places in ([0, 99], [15, 16, 17], [31, 32, 98], [83, 84], [], [50]):
        coo = sparse.coo_array((np.ones(len(places)), (places, places)), w.shape)
        expected = stepped(dialect, w, coo)
        assert np.flatnonzero(expected != w).tolist() == [101 * place for place in places]
        assert_same_bits(stepped(dialect, w, coo.asformat(form)), expected)


def test_from_scipy() -> None:
    entries = sparse.coo_array((np.array([1.0, 2, 4, 8]), ([3, 0, 3, 3], [1, 2, 1, 0])), (5, 3))
    rows = RowSparse.from_scipy(entries)
    np.testing.assert_array_equal(rows.indices, [0, 3])
    np.testing.assert_array_equal(rows.values, [[0, 0, 2], [8, 5, 0]])
    assert RowSparse.from_scipy(sparse.csr_array((5, 0))).values.shape == (0, 0)


def test_from_torch() -> None:
    values = torch.arange(6.0).reshape(3, 2)
    rows = RowSparse.from_torch(torch.sparse_coo_tensor([[4, 0, 4]], values, (5, 2), check_invariants=False))
    np.testing.assert_array_equal(rows.indices, [4, 0, 4])
    values[0, 0] = 7
    assert rows.values[0, 0] == 7  # shared
