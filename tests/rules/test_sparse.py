"""Gradients of rows: what is the same whichever way they are given, what is refused, and what lies around them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.errors import Rule
from helpers.interpreters import output
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._state import Allocate
from scipy import sparse

each_rule = pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
ONES = np.ones((2, 3), np.float32)


def stepped(rule: Rule, param: Array, *grads: Any, **options: Any) -> Array:
    param = param.copy()
    optimizer = rule([param], **options)
    for grad in grads:
        optimizer.step([grad])
    return param


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 60), width=st.integers(1, 20), in_halves=st.booleans())
@each_rule
def test_order_and_splitting_change_nothing(rule: Rule, seed: int, count: int, width: int, in_halves: bool) -> None:
    """Unique rows in another order; a table cut in two, by rows or by columns."""
    rng = np.random.default_rng(seed)
    table, rows = rng.standard_normal((60, width)), rng.permutation(60)[:count]
    values = rng.standard_normal((count, width))
    expected = stepped(rule, table, RowSparse(rows, values))
    shuffled = rng.permutation(count)
    assert_same_bits(stepped(rule, table, RowSparse(rows[shuffled], values[shuffled])), expected)
    if in_halves:
        low = rows < 30
        parts = [RowSparse(rows[low], values[low]), RowSparse(rows[~low] - 30, values[~low])]
        cut = [table[:30].copy(), table[30:].copy()]
        joined: Callable[[list[Array]], Array] = np.concatenate
    else:
        parts = [RowSparse(rows, values[:, : width // 2]), RowSparse(rows, values[:, width // 2 :])]
        cut = [table[:, : width // 2].copy(), table[:, width // 2 :].copy()]
        joined = np.hstack
    rule(cut).step(parts)
    assert_same_bits(joined(cut), expected)


@each_rule
def test_layouts(rule: Rule) -> None:
    """Tables, values and indices of any strides."""
    rng = np.random.default_rng(2)
    table, rows, values = rng.standard_normal((30, 6)), rng.integers(0, 30, 50), rng.standard_normal((50, 6))
    expected = stepped(rule, table, RowSparse(rows, values))
    wide, long = np.zeros((30, 12)), np.zeros(100, np.int32)
    wide[:, ::2], long[::2] = table, rows
    for place in (wide[:, ::2], np.asfortranarray(table), table[::-1].copy()[::-1]):
        for grad in (RowSparse(rows, np.asfortranarray(values)), RowSparse(long[::2], np.repeat(values, 2, 1)[:, ::2])):
            before = place.copy()
            rule([place]).step([grad])
            assert_same_bits(np.ascontiguousarray(place), expected)
            place[...] = before
    assert not wide[:, 1::2].any()


@each_rule
def test_dense_and_sparse_in_turn(rule: Rule) -> None:
    """And beside each other. MindSpore's rule is the dense one, on the rows that are touched."""
    rng = np.random.default_rng(4)
    tables, others = ([rng.standard_normal((6, 4)), np.zeros(3)] for _ in range(2))
    others[0][...] = tables[0]
    optimizer, other = rule(tables), rule(others)
    for k in range(6):
        values = rng.standard_normal((6, 4))
        rows = np.arange(6)
        optimizer.step([RowSparse(rows, values) if k % 2 else values, np.full(3, float(k))], max_norm=1e9)
        other.step([RowSparse(rows, values) if k % 2 and rule is TorchAdagrad else values, np.full(3, float(k))])
        assert_same_bits(tables[0], others[0])
        assert_same_bits(tables[1], others[1])
    assert optimizer.state[0].get("step", 6) == 6


@each_rule
def test_an_empty_gradient_counts_a_step(rule: Rule) -> None:
    table = np.ones((4, 3), np.float32)
    optimizer = rule({"w": table})
    optimizer.step({"w": RowSparse([], np.zeros((0, 3), np.float32))})
    assert_same_bits(table, np.ones((4, 3), np.float32))
    assert (optimizer.state[0]["step"] if isinstance(optimizer, TorchAdagrad) else optimizer.global_step[0]) == 1
    empty = np.zeros((0, 3), np.float32)
    rule([empty]).step([RowSparse(np.zeros(0, np.int32), empty)])


def test_a_bare_parameter() -> None:
    w, rows = np.zeros((3, 2), np.float32), RowSparse([1], ONES[:1, :2])
    TorchAdagrad(w, lr=0.5).step(rows)
    assert w.tolist() == [[0, 0], [-0.5, -0.5], [0, 0]]
    with pytest.raises(
        TypeError, match=r"^grads: expected a sequence with an array for each parameter, got one array$"
    ):
        TorchAdagrad([w]).step(rows)


def test_weight_decay() -> None:
    """torch refuses it; "touched" decays what the gradient touches; MindSpore's rule decays once, however often."""
    w = np.full((3, 1), 2.0)
    optimizer = TorchAdagrad([w], weight_decay=0.5)
    with pytest.raises(RuntimeError, match=r"^weight_decay option is not compatible with sparse gradients$"):
        optimizer.step([RowSparse([0], np.ones((1, 1)))])
    assert w.tolist() == [[2], [2], [2]]
    assert optimizer.state[0]["step"] == 0
    twice = RowSparse([1, 1], np.zeros((2, 1)))
    for opt in (
        TorchAdagrad([w], lr=1, weight_decay=0.5, sparse_weight_decay="touched"),
        MindSporeAdagrad([w], 0.0, 1.0, weight_decay=0.5),
    ):
        w[...] = 2
        opt.step([twice])
        np.testing.assert_allclose(w, [[2], [1], [2]], rtol=1e-6)
        np.testing.assert_array_equal(opt.state[0][opt._accumulator], [[0], [1], [0]])
    with pytest.raises(ValueError, match=r"^sparse_weight_decay: expected None or 'touched', got 'all'$"):
        TorchAdagrad([w], sparse_weight_decay="all")


@each_rule
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_on_nonfinite(rule: Rule, value: float) -> None:
    w = np.ones((3, 2))
    optimizer, bad = rule([w]), RowSparse([0, 0], np.array([[1, 2], [value, 0]]))
    with pytest.raises(FloatingPointError, match=f"^grads: expected finite values, got a norm of {value}$"):
        optimizer.step([bad], on_nonfinite="raise")
    optimizer.step([bad], on_nonfinite="skip")
    assert (w == 1).all()
    assert optimizer.skipped_steps == 1
    optimizer.step([RowSparse([2], np.ones((1, 2)))], on_nonfinite="skip")
    assert (w[:2] == 1).all()
    assert (w[2] < 1).all()


# Conversions


def test_from_scipy() -> None:
    entries = sparse.coo_array((np.array([1.0, 2, 4, 8]), ([3, 0, 3, 3], [1, 2, 1, 0])), (5, 3))
    rows = RowSparse.from_scipy(entries)
    np.testing.assert_array_equal(rows.indices, [0, 3])
    np.testing.assert_array_equal(rows.values, [[0, 0, 2], [8, 5, 0]])
    assert RowSparse.from_scipy(sparse.csr_array((5, 0))).values.shape == (0, 0)
    for wrong, error, message in (
        (np.ones((2, 2)), TypeError, "matrix: expected a sparse array of SciPy, got ndarray"),
        (entries.tolil(), TypeError, "matrix: expected the format csr, csc or coo, got lil"),
        (sparse.coo_array(np.ones(3)), ValueError, "matrix: expected two dimensions, got shape (3,)"),
    ):
        with pytest.raises(error) as caught:
            RowSparse.from_scipy(wrong)
        assert str(caught.value) == message


def test_from_torch() -> None:
    values = torch.arange(6.0).reshape(3, 2)
    rows = RowSparse.from_torch(torch.sparse_coo_tensor([[4, 0, 4]], values, (5, 2), check_invariants=False))
    np.testing.assert_array_equal(rows.indices, [4, 0, 4])
    values[0, 0] = 7
    assert rows.values[0, 0] == 7  # shared
    for wrong, error, message in (
        (torch.ones(2), TypeError, "tensor: expected a sparse COO tensor of torch, got torch.strided"),
        (np.ones(2), TypeError, "tensor: expected a sparse COO tensor of torch, got ndarray"),
        (torch.ones(2, 2).to_sparse(), ValueError, "tensor: expected one sparse dimension, got 2"),
    ):
        with pytest.raises(error, match=f"^{message}$"):
            RowSparse.from_torch(wrong)


@each_rule
def test_elements_stored_twice_are_summed_as_they_come(rule: Rule) -> None:
    values = np.array([1e8, 1, -1e8, 3], np.float32)
    twice = sparse.coo_array((values, ([1, 1, 1, 0], [2, 2, 2, 0])), (2, 3))
    total = np.float32(values[0] + values[1]) + values[2]
    once = sparse.coo_array((np.array([3, total], np.float32), ([0, 1], [0, 2])), (2, 3))
    table = np.ones((2, 3), np.float32)
    assert_same_bits(stepped(rule, table, twice), stepped(rule, table, once))


# Refusals: (gradient, exception, message after "grads[0]")

CSR = sparse.csr_array(np.ones((4, 3), np.float32))
REFUSED = {
    "index too high": (RowSparse([0, 4], ONES), IndexError, ".indices: expected rows below 4, got 4 at position 1"),
    "index negative": (RowSparse([-1, 9], ONES), IndexError, ".indices: expected rows below 4, got -1 at position 0"),
    "index far": (
        RowSparse(np.array([1, -(2**63)]), ONES),
        IndexError,
        f".indices: expected rows below 4, got {-(2**63)} at position 1",
    ),
    "indices of two dimensions": (
        RowSparse(np.zeros((2, 1), int), ONES),
        ValueError,
        ".indices: expected one dimension, got shape (2, 1)",
    ),
    "byte order": (
        RowSparse([0, 1], ONES.astype(">f4")),
        ValueError,
        ".values: expected native byte order, got >f4",
    ),
    "values too few": (RowSparse([0], ONES), ValueError, ".values: expected shape (1, 3), got (2, 3)"),
    "values too wide": (
        RowSparse([0, 1], np.ones((2, 4), np.float32)),
        ValueError,
        ".values: expected shape (2, 3), got (2, 4)",
    ),
    "values of one dimension": (
        RowSparse([0, 1], np.ones(2, np.float32)),
        ValueError,
        ".values: expected shape (2, 3), got (2,)",
    ),
    "dtype": (
        RowSparse([0, 1], np.ones((2, 3))),
        TypeError,
        ".values: expected float32, got float64; cast it with .astype(np.float32)",
    ),
    "integers": (
        RowSparse([0, 1], np.ones((2, 3), int)),
        TypeError,
        ".values: expected float32, got int64; cast it with .astype(np.float32)",
    ),
    "matrix shape": (CSR.T.tocsr(), ValueError, ": expected shape (4, 3), got (3, 4)"),
    "matrix format": (CSR.tolil(), TypeError, ": expected the format csr, csc or coo, got lil"),
    "matrix dtype": (
        CSR.astype(np.float64),
        TypeError,
        ".values: expected float32, got float64; cast it with .astype(np.float32)",
    ),
}


@each_rule
@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_written(rule: Rule, case: str) -> None:
    grad, error, message = REFUSED[case]
    tables = [np.ones((4, 3), np.float32) for _ in range(2)]
    optimizer = rule(tables)
    with pytest.raises(error) as caught:
        optimizer.step([RowSparse([0, 1], ONES), grad])
    label = "grads[1]" if rule is TorchAdagrad else "grads[1] ('param1')"
    assert str(caught.value).strip("'") == label + message
    assert all((table == 1).all() for table in tables)
    assert (optimizer.state[0]["step"] if isinstance(optimizer, TorchAdagrad) else optimizer.global_step[0]) == 0
    optimizer.step([RowSparse([0, 1], ONES), ONES.repeat(2, 0)])


def test_refused_parameters() -> None:
    for param, error, message in (
        (np.zeros(()), ValueError, "grads[0]: expected an array, as the parameter has no rows"),
        (np.zeros(3, complex), TypeError, "grads[0]: expected an array, as the parameter is complex"),
    ):
        with pytest.raises(error) as caught:
            TorchAdagrad([param]).step([RowSparse([0], np.zeros(1, param.dtype))])
        assert str(caught.value) == message


@pytest.mark.parametrize("indices", [[0.5], [np.nan], np.array([1.0]), np.array([1], np.uint64), [True], ["a"]])
def test_indices_that_are_no_integers(indices: Any) -> None:
    with pytest.raises(TypeError, match=r"^indices: expected int32 or int64, got "):
        RowSparse(indices, ONES[:1])


def test_indices_and_values_that_overlap_the_table() -> None:
    memory = np.zeros(40, np.float32)
    table = memory[:12].reshape(4, 3)
    optimizer = TorchAdagrad([table])
    for grad, part in (
        (RowSparse([0, 1], table[:2]), "values"),
        (RowSparse(memory[10:12].view(np.int32), ONES), "indices"),
    ):
        with pytest.raises(ValueError, match=rf"^grads\[0\]\.{part}: expected its own memory, got an overlap"):
            optimizer.step([grad])


# What lies around them

GUARD = 16


def guarded(rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike) -> tuple[Array, Callable[[], bool]]:
    """An array between guard bytes, and a function that tells whether they are intact."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.frombuffer(bytearray(b"\xa5" * (size + 2 * GUARD)), np.uint8)
    array = room[GUARD : GUARD + size].view(dtype).reshape(shape)
    array[...] = rng.standard_normal(shape)
    return array, lambda: (room[:GUARD] == 0xA5).all() and (room[GUARD + size :] == 0xA5).all()


def giving(array: Array) -> Allocate:
    """An `allocate` that gives this array."""
    return lambda param, dtype, value: array


@each_rule
def test_guard_bytes(rule: Rule) -> None:
    """1,000 cases of random shapes, all of them also checked against rows that must not move."""
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
        rule([table], allocate=giving(sums)).step([RowSparse(indices, values)])
        assert table_intact()
        assert sums_intact()
        assert values_intact()
        assert_same_bits(values, start_values)
        untouched = np.setdiff1d(np.arange(shape[0]), indices)
        assert_same_bits(table[untouched], start[untouched])
        assert (sums[untouched] == 1).all()


# Files

CUT_SHORT = """
import os, tempfile
import numpy as np
from numpy_adagrad import CLASS, RowSparse
with tempfile.TemporaryDirectory() as folder:
    def mapped(name, shape):
        return np.memmap(f"{folder}/{name}", np.float32, "w+", offset=4096, shape=shape)
    table = mapped("table", (4096, 8))
    optimizer = CLASS([table[10:]], allocate=lambda param, dtype, value: mapped("sums", param.shape))
    grad = RowSparse([3], np.ones((1, 8), np.float32))
    optimizer.step([grad])
    print((table[13] != 0).all(), np.count_nonzero(table))
    for name in ("table", "sums"):
        size = os.path.getsize(f"{folder}/{name}")
        os.truncate(f"{folder}/{name}", size - 1)
        try:
            optimizer.step([grad])
        except ValueError as error:
            print(error)
        os.truncate(f"{folder}/{name}", size)
    optimizer.step([grad])
"""


@each_rule
def test_a_file_cut_short(rule: Rule) -> None:
    lines = output(CUT_SHORT.replace("CLASS", rule.__name__)).splitlines()
    table, sums = 4096 + 4096 * 32, 4096 + 4086 * 32
    assert lines == [
        "True 8",
        f"params[0]: expected a file of {table} bytes, got one cut short to {table - 1}",
        f"{rule._accumulator}[0]: expected a file of {sums} bytes, got one cut short to {sums - 1}",
    ]


@each_rule
def test_what_allocate_returns_is_checked(rule: Rule) -> None:
    w = np.zeros(3)
    for made, message in (
        (np.zeros(2), r"expected shape \(3,\), got \(2,\)"),
        (w, "expected its own memory, got the same array as"),
        (np.zeros(3, np.float32), "expected the dtype float64 of its parameter, got float32"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            rule([w], allocate=giving(made))
