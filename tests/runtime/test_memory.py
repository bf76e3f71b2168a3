"""Memory: how much a step takes beside the arrays, and on which pages accumulators lie."""

import gc
import json
import sys
import tracemalloc
import weakref
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import START, Dialect
from helpers.errors import raises
from helpers.interpreters import program
from helpers.values import bfloat16, normal
from numpy_adagrad import RowSparse, TorchAdagrad, _core, schedules
from numpy_adagrad.inputs.sparse import parts_of
from numpy_adagrad.inputs.types import Array
from scipy import sparse

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.parametrize("options", [{}, {"max_norm": 1.0}, {"grad_scale": 3.0}], ids=str)
def test_a_step_on_1e8_elements_takes_less_than_a_megabyte(dialect: Dialect, options: dict[str, Any]) -> None:
    assert int(program("peak_memory", dialect, "dense", json.dumps(options))) < 1e6


def test_centralized_gradients_take_8_bytes_a_row() -> None:
    rows = 100_000_000 // 16
    assert 7 * rows < int(program("peak_memory", "mindspore", "rows", "{}")) < 8 * rows + 1e6


@pytest.mark.parametrize("options", [{}, {"max_norm": 1.0}], ids=str)
@pytest.mark.parametrize("case", ["separate", "repeated"])
def test_a_sparse_gradient_takes_up_to_100_bytes_an_index(dialect: Dialect, case: str, options: dict[str, Any]) -> None:
    assert int(program("peak_memory", dialect, case, json.dumps(options))) < 100 * (2**19 + 1) + 10 * 2**20


@pytest.mark.parametrize("form", ["coo", "csr", "csc"])
@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_a_scipy_gradient_takes_up_to_16_bytes_an_entry(form: str, index_dtype: npt.DTypeLike) -> None:
    count = 1_000_000
    places = (np.arange(count, dtype=index_dtype) // 100, np.arange(count, dtype=index_dtype) % 100)
    matrix = sparse.coo_array((np.ones(count), places), (count // 100, 100)).asformat(form)
    tracemalloc.start()
    try:
        parts = parts_of(matrix, matrix.shape, "grad")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert parts is not None
    assert peak < 16 * count + 200_000


def test_accumulators_lie_on_huge_pages_where_the_system_gives_them(dialect: Dialect) -> None:
    never = not SETTING.exists() or "[never]" in SETTING.read_text()
    kilobytes = int(program("huge_pages", dialect))
    assert kilobytes == 0 if never else kilobytes > 20_000


DTYPES = ["float16", bfloat16, "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("length", [0, 1, 7, 300_000])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_fill(dtype: npt.DTypeLike, length: int) -> None:
    """As NumPy fills, whichever thread writes which part."""
    value = np.array(0.1 + (0.7j if np.dtype(dtype).kind == "c" else 0), dtype)
    # A complex number may begin where one of its parts would.
    for array in (np.empty(length, dtype), np.empty(2 * length + 1, value.real.dtype)[1:].view(dtype)[:length]):
        _core.fill(array, value)
        assert_same_bits(array, np.full(length, value))


def test_accumulators_have_the_layout_of_their_parameters(dialect: Dialect) -> None:
    params = [np.ones((3, 4)), np.ones((4, 3)).T, np.ones((2, 3, 4)).transpose(2, 0, 1), np.ones((6, 8))[::2, ::2]]
    for param, accum in zip(params, dialect.accumulators(dialect.make(params)), strict=True):
        assert_same_bits(accum, np.full(param.shape, START))
        assert accum.flags.f_contiguous == (param.flags.fnc or param.ndim < 2)


def test_accumulators_of_complex_parameters_begin_where_they_do() -> None:
    param = np.ones(2 * 20_000 + 1, np.float32)[1:].view(np.complex64)
    start = 0.5
    optimizer = TorchAdagrad([param], initial_accumulator_value=start)
    assert_same_bits(optimizer.state[0]["sum"], np.full(param.shape, start + start * 1j, np.complex64))


ORDERS: list[Literal["C", "F"]] = ["C", "F"]


@pytest.mark.parametrize(("dtype", "state_dtype"), [("float32", None), ("float64", None), ("float16", "float32")])
def test_large_accumulators_begin_lines_where_their_parameters_do(
    dialect: Dialect, dtype: str, state_dtype: str | None
) -> None:
    """Whichever element of a line the parameter begins with; and half a page further."""
    params = [
        np.ones(20_000 + offset, dtype)[offset:].reshape(100, 200, order=order)
        for offset in range(33)
        for order in ORDERS
    ]
    optimizer = dialect.make(params, state_dtype=state_dtype)
    for param, accum in zip(params, dialect.accumulators(optimizer), strict=True):
        before_line = -param.ctypes.data % 64 // param.itemsize
        line, same = (array.ctypes.data + before_line * array.itemsize for array in (param, accum))
        assert (line % 64, (same - line) % 4096) == (0, 2048)
        assert (accum.flags.c_contiguous, accum.flags.f_contiguous) == (param.flags.c_contiguous, param.flags.fnc)


CONTIGUOUS = "array: expected contiguous memory and a value of its dtype"


@pytest.mark.parametrize(
    ("array", "value", "message"),
    [
        (np.zeros(3), np.zeros((), np.float32), CONTIGUOUS),
        (np.zeros(3), np.zeros(2), CONTIGUOUS),
        (np.zeros(6)[::2], np.ones(()), CONTIGUOUS),
        (
            np.broadcast_to(0.0, 3),
            np.ones(()),
            "array: expected a writeable array, got a read-only one; copy it with .copy()",
        ),
    ],
)
def test_fill_raises(array: Array, value: Array, message: str) -> None:
    before = array.copy()
    raises(ValueError, message, lambda: _core.fill(array, value))
    assert_same_bits(array, before)


def test_the_garbage_collector_finds_the_arrays_of_a_plan(dialect: Dialect) -> None:
    w, other = normal(3), normal(4)
    optimizer = dialect.make([w, other])
    plan = optimizer._bound.plan
    accumulators = [slot.state[optimizer._accumulator] for slot in optimizer._slots]
    for array in (type(plan), w, other, *accumulators):
        assert any(found is plan for found in gc.get_referrers(array))
    assert not any(found is plan for found in gc.get_referrers(normal(3)))


def scheduled_optimizer(dialect: Dialect, schedule: Any) -> Any:
    optimizer = dialect.make([normal(3)], **{dialect.rate: schedule})
    optimizer.step([normal(3, seed=2)])
    return optimizer


def test_an_optimizer_with_a_schedule_is_released_at_once(dialect: Dialect) -> None:
    found = weakref.ref(scheduled_optimizer(dialect, schedules.step(0.5, 2)))
    assert found() is None


def test_an_optimizer_to_which_its_schedule_refers_is_collected(dialect: Dialect) -> None:
    holder: list[Any] = []
    holder.append(scheduled_optimizer(dialect, lambda steps, holder=holder: 0.5))
    found = weakref.ref(holder[0])
    del holder
    assert found() is not None
    gc.collect()
    assert found() is None


@pytest.mark.parametrize("row", [0, 9])
def test_a_step_lets_its_gradients_go(dialect: Dialect, row: int) -> None:
    """Also one that raises an error, as there is no row 9."""
    optimizer, values = dialect.optimizer([normal(3)]), normal(1)
    before = sys.getrefcount(values)
    with nullcontext() if row == 0 else pytest.raises(IndexError):
        optimizer.step([RowSparse([row], values)])
    assert sys.getrefcount(values) == before


def assert_collected(plan: Any) -> None:
    """Only the collector releases the plan and what lies beside it."""

    class Marker: ...

    marker = Marker()
    found = weakref.ref(marker)
    holder: list[Any] = [plan, marker]
    holder.append(holder)
    del plan, marker, holder
    assert found() is not None
    gc.collect()
    assert found() is None


@pytest.mark.parametrize("kind", [_core.Plan, _core.TensorPlan])
def test_the_garbage_collector_meets_a_plan_that_was_never_made(kind: Any) -> None:
    plan = kind.__new__(kind)
    assert any(found is plan for found in gc.get_referrers(kind))
    del plan
    assert_collected(kind.__new__(kind))


def test_the_garbage_collector_releases_a_plan_without_groups() -> None:
    assert_collected(_core.Plan("memory_bound", ("params", "states", "grads", "counters")))
