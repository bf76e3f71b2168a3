"""Floating-point modes that someone else has set: they change no result, and they are still set afterwards."""

import ctypes
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.errors import Rule
from helpers.interpreters import output
from helpers.values import KINDS, bfloat16, draw
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.functional import adagrad, apply_adagrad
from numpy_adagrad.inputs.types import Array

Maker: TypeAlias = Callable[[list[Array]], TorchAdagrad | MindSporeAdagrad]

SHAPES = [(7,), (200_001,), (300, 301)]  # so large that threads share them
DTYPES = ["float32", "float64", "float16", bfloat16]
LEAST = {4: np.array([2.0**-149], np.float32), 8: np.array([2.0**-1074])}

libm = ctypes.CDLL("libm.so.6")
UPWARD, NEAREST = 0x800, 0
# Sets the mode, tells whether it is set.
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


def make_torch(params: list[Array]) -> TorchAdagrad:
    return TorchAdagrad(params, 2**-5, 0.125, 2**-6, 2**-7, 2**-20)


def make_mindspore(params: list[Array]) -> MindSporeAdagrad:
    return MindSporeAdagrad(params, 2**-7, 2**-5, loss_scale=1024, weight_decay=2**-6)


def make_centralised(params: list[Array]) -> MindSporeAdagrad:
    return MindSporeAdagrad([{"params": params, "grad_centralization": True}], 2**-7, 2**-5)


MAKERS: list[Maker] = [make_torch, make_mindspore, make_centralised]


@np.errstate(all="ignore")
def drawn(dtype: npt.DTypeLike, kind: str) -> list[list[Array]]:
    rng = np.random.default_rng(1)
    return [[draw(rng, shape, dtype, kind) for shape in SHAPES] for _ in range(3)]


def train(make: Maker, arrays: list[list[Array]], **scaling: Any) -> tuple[list[Array], float | None]:
    params, *grads = arrays
    optimizer = make(params)
    for part in grads:
        optimizer.step(part, **scaling)
    return [*params, *(state[optimizer._accumulator] for state in optimizer.state.values())], optimizer.grad_norm


def assert_unchanged(
    make: Maker,
    dtype: npt.DTypeLike,
    kind: str,
    set_mode: Callable[[], object],
    is_set: Callable[[], bool],
    **scaling: Any,
) -> None:
    """Training in a thread of that mode gives the bits of training in this one, and leaves the mode as it is."""
    arrays = drawn(dtype, kind)
    expected, expected_norm = train(make, [[array.copy() for array in part] for part in arrays], **scaling)

    def call() -> Any:
        set_mode()
        before = is_set()
        result = train(make, arrays, **scaling)
        return before, result, is_set()

    before, (results, norm), after = in_thread(call)
    assert (before, after) == (True, True)
    assert norm == expected_norm
    for i, (result, wanted) in enumerate(zip(results, expected, strict=True)):
        assert_same_bits(result, wanted, f"array {i}")


def set_flush() -> bool:
    return bool(torch.set_flush_denormal(True))


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_subnormals_flushed_by_the_caller(dtype: npt.DTypeLike, kind: str, make: Maker) -> None:
    assert not flushes()
    assert_unchanged(make, dtype, kind, set_flush, flushes)
    assert not flushes()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rounding_upward_in_the_caller(dtype: npt.DTypeLike, kind: str, make: Maker) -> None:
    assert_unchanged(make, dtype, kind, *UPWARDS)
    assert libm.fegetround() == NEAREST


@pytest.mark.parametrize("max_norm", [0.7, 1e-3, 2.0**-1060])
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clipping_in_either_mode(dtype: npt.DTypeLike, make: Maker, max_norm: float) -> None:
    """The norm and the factor are numbers outside the arrays, and may be subnormal too."""
    assert_unchanged(make, dtype, "normal", set_flush, flushes, max_norm=max_norm, grad_scale=4.0)
    assert_unchanged(make, dtype, "normal", *UPWARDS, max_norm=max_norm, grad_scale=4.0)


@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rate", "decay"), [(0.037, 0.3), (1e-40, 0.0), (1e-310, 0.01)])
def test_rates_in_either_mode(rate: float, decay: float, dtype: npt.DTypeLike, rule: Rule) -> None:
    """They are computed in double and rounded to the dtype. Some of these become subnormal."""

    def make(params: list[Array]) -> TorchAdagrad | MindSporeAdagrad:
        return rule(params, rate, decay) if rule is TorchAdagrad else rule(params, 0.1, rate, weight_decay=decay)

    assert_unchanged(make, dtype, "normal", set_flush, flushes)
    assert_unchanged(make, dtype, "normal", *UPWARDS)


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


def test_import_leaves_a_mode_that_was_set() -> None:
    """And threads that are made under it, which inherit it, do not step in it."""
    code = """
import torch
torch.set_flush_denormal(True)
import numpy as np, numpy_adagrad
least = np.array([5e-324])
flushed = (least * 1.0 == 0)[0]
param = np.full(1_000_000, 2.0**-1040)
numpy_adagrad.TorchAdagrad([param], lr=2.0**-1050, eps=1).step([np.ones(1_000_000)])
print(flushed, (least * 1.0 == 0)[0])
torch.set_flush_denormal(False)
print(np.unique(param) == 2.0**-1040 - 2.0**-1051)
"""
    assert output(code) == "True True\n[ True]\n"
