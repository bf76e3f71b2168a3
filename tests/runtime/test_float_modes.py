"""Floating-point modes that the caller has set: they change no result, and they are still set afterwards."""

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.interpreters import program
from helpers.values import KINDS, bfloat16, draw
from numpy_adagrad import RowSparse, TorchAdagrad, translate, translate_state
from numpy_adagrad.functional import adagrad, apply_adagrad
from numpy_adagrad.inputs.types import Array
from scipy import sparse

SHAPES = [(7,), (200_001,), (300, 304)]  # so large that threads share them
DTYPES = ["float32", "float64", "float16", bfloat16]
LEAST = {4: np.array([2.0**-149], np.float32), 8: np.array([2.0**-1074])}

libm = ctypes.CDLL("libm.so.6")
UPWARD, NEAREST = 0x800, 0
# Set the mode; tell whether it is set.
UPWARDS = (lambda: libm.fesetround(UPWARD), lambda: libm.fegetround() == UPWARD)


def flushes() -> bool:
    """Whether this thread takes subnormals for zero."""
    return not any((least * least.dtype.type(1))[0] > 0 for least in LEAST.values())


def in_thread(call: Callable[[], Any]) -> Any:
    """Call in a new thread, whose modes end with it."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join(120)
    return results[0]


@np.errstate(all="ignore")
def drawn(dtype: npt.DTypeLike, kind: str) -> list[list[Array]]:
    rng = np.random.default_rng(1)
    return [[draw(rng, shape, dtype, kind) for shape in SHAPES] for _ in range(3)]


def train(
    dialect: Dialect, arrays: list[list[Array]], scaling: dict[str, Any], group: dict[str, Any], options: dict[str, Any]
) -> tuple[list[Array], float | None]:
    params, *grads = arrays
    optimizer = dialect.make([{"params": params, **group}], **options)
    for part in grads:
        optimizer.step(part, **scaling)
    return [*params, *dialect.accumulators(optimizer)], optimizer.grad_norm


def assert_unchanged(
    dialect: Dialect,
    dtype: npt.DTypeLike,
    kind: str,
    set_mode: Callable[[], object],
    is_set: Callable[[], bool],
    *,
    scaling: dict[str, Any] | None = None,
    group: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    """Training in a thread of that mode gives the bits of training in this one, and leaves the mode as it is."""
    arrays, own = drawn(dtype, kind), (scaling or {}, group or {}, options)
    expected, expected_norm = train(dialect, [[array.copy() for array in part] for part in arrays], *own)

    def call() -> Any:
        set_mode()
        before = is_set()
        result = train(dialect, arrays, *own)
        return before, result, is_set()

    before, (results, norm), after = in_thread(call)
    assert (before, after) == (True, True)
    assert norm == expected_norm
    for i, (result, wanted) in enumerate(zip(results, expected, strict=True)):
        assert_same_bits(result, wanted, f"array {i}")


def set_flush() -> bool:
    return bool(torch.set_flush_denormal(True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_subnormals_flushed_by_the_caller(dialect: Dialect, dtype: npt.DTypeLike, kind: str) -> None:
    assert not flushes()
    for options, group in (dialect.variants[0], dialect.variants[-1]):
        assert_unchanged(dialect, dtype, kind, set_flush, flushes, group=group, **options)
    assert not flushes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rounding_upward_in_the_caller(dialect: Dialect, dtype: npt.DTypeLike, kind: str) -> None:
    for options, group in (dialect.variants[0], dialect.variants[-1]):
        assert_unchanged(dialect, dtype, kind, *UPWARDS, group=group, **options)
    assert libm.fegetround() == NEAREST


@pytest.mark.parametrize("max_norm", [0.7, 1e-3, 2.0**-1060])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clipping_in_either_mode(dialect: Dialect, dtype: npt.DTypeLike, max_norm: float) -> None:
    """The norm and the factor are numbers outside the arrays, and may be subnormal too."""
    scaling = {"max_norm": max_norm, "grad_scale": 4.0}
    for options, group in (dialect.variants[0], dialect.variants[-1]):
        assert_unchanged(dialect, dtype, "normal", set_flush, flushes, scaling=scaling, group=group, **options)
        assert_unchanged(dialect, dtype, "normal", *UPWARDS, scaling=scaling, group=group, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rate", "decay"), [(0.037, 0.3), (1e-40, 0.0), (1e-310, 0.01)])
def test_rates_in_either_mode(dialect: Dialect, rate: float, decay: float, dtype: npt.DTypeLike) -> None:
    """They are computed in double and rounded to the dtype. Some of these become subnormal."""
    options: dict[str, Any] = {dialect.rate: rate, "weight_decay": decay}
    if str(dialect) == "torch":
        options["lr_decay"] = decay
    assert_unchanged(dialect, dtype, "normal", set_flush, flushes, **options)
    assert_unchanged(dialect, dtype, "normal", *UPWARDS, **options)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numbers_that_are_rounded_in_python(dialect: Dialect, dtype: npt.DTypeLike) -> None:
    """The float32 next to each lies below: scale, start of accumulators, rates, decays, also those of schedules."""
    start: dict[str, Any] = {} if dialect.start is None else {dialect.start: 0.7}
    for scale in (0.7, 0.9):
        assert_unchanged(dialect, dtype, "normal", *UPWARDS, scaling={"grad_scale": scale}, **start)
    if str(dialect) != "mindspore":
        return
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"loss_scale": 0.7, "weight_decay": lambda step: 0.9}, {}),
        ({"loss_scale": 0.9, "weight_decay": 0.7}, {}),
        ({"learning_rate": [0.7, 0.9, 0.6]}, {}),
        ({"learning_rate": [0.7, 0.9, 0.6]}, {"lr": 0.7}),
        ({"learning_rate": lambda step: 0.7 / (1 + step)}, {"lr": 0.7}),
    ]
    for options, group in cases:
        every: dict[str, Any] = {**start, **options}
        assert_unchanged(dialect, dtype, "normal", *UPWARDS, group=group, **every)


def test_loading_casts_in_any_mode(dialect: Dialect, tmp_path: Path) -> None:
    saved = dialect.make([np.ones(3)])
    dialect.accumulator(saved, 0)[...] = [0.7, 0.9, 1 / 3]
    saved.save(tmp_path / "a")

    def load() -> Array:
        optimizer = dialect.make([np.ones(3, np.float32)])
        optimizer.load(tmp_path / "a")
        return dialect.accumulator(optimizer, 0)

    assert_same_bits(in_thread(lambda: (libm.fesetround(UPWARD), load())[1]), load())


def test_a_schedule_that_was_never_called_is_saved_in_any_mode(dialect: Dialect) -> None:
    options: dict[str, Any] = {dialect.rate: lambda step: (step + 1) / 3}
    optimizer = dialect.make([np.ones(3)], **options)

    def save() -> Any:
        return optimizer._saved_value(0, "lr")

    assert in_thread(lambda: (libm.fesetround(UPWARD), save())[1]) == save()


def test_entries_of_scipy_are_summed_in_any_mode() -> None:
    stored = sparse.coo_array((np.array([1.0, 2.0**-60]), ([0, 0], [0, 0])), (1, 1))
    rows = in_thread(lambda: (libm.fesetround(UPWARD), RowSparse.from_scipy(stored))[1])
    assert_same_bits(rows.values, np.ones((1, 1)))


def test_translation_in_any_mode() -> None:
    optimizer = TorchAdagrad({"w": np.ones(3, np.float32)}, lr=0.7)
    optimizer.step([np.full(3, 0.7, np.float32)])
    saved = optimizer.state_dict()

    def translated() -> Any:
        state = translate_state("torch", "mindspore", saved, names=["w"])
        back = translate_state("mindspore", "torch", state, names=["w"])
        arguments = translate("mindspore", "torch", learning_rate=0.7, accum=0.9, loss_scale=0.7, weight_decay=0.9)
        return (state, back, *arguments)

    assert str(in_thread(lambda: (libm.fesetround(UPWARD), translated())[1])) == str(translated())


def test_functional_forms_in_a_thread_that_flushes() -> None:
    def drawn_anew() -> tuple[list[Array], Array]:
        small = np.full(9, 2.0**-130, np.float32)
        return [small.copy() for _ in range(6)], np.zeros((), np.float32)

    def call(arrays: list[Array], counter: Array) -> Any:
        param, grad, total, var, accum, other_grad = arrays
        adagrad([param], [grad], [total], [counter], lr=2**-8, weight_decay=0, lr_decay=0, eps=1, maximize=False)
        apply_adagrad(var, accum, 2**-8, other_grad)
        return arrays

    expected, flushed = call(*drawn_anew()), drawn_anew()
    assert in_thread(lambda: (set_flush(), flushes(), call(*flushed), flushes())[1::2]) == (True, True)
    for array, wanted in zip(flushed[0], expected, strict=True):
        assert_same_bits(array, wanted)
        assert np.all(wanted != 0)


def test_import_leaves_a_mode_that_was_set(dialect: Dialect) -> None:
    """And threads that start under it, which inherit it, do not step in it."""
    assert program("flushing", dialect) == "True True\nTrue True\n"
