"""The oracle against the real libraries: what reference.py states is what they compute."""

import ctypes
import ctypes.util
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.fma import fma
from helpers.mindspore_arrays import apply_adagrad, draw_normal, mindspore_adagrad, mindspore_step
from helpers.oracle import (
    SUM_BLOCK,
    computing_type,
    fixed_sum,
    mindspore_update,
    scaled_gradients,
    torch_rate,
    torch_update,
)
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from helpers.values import AWKWARD, KINDS, bfloat16, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_adagrad.inputs.types import Array

Float: TypeAlias = type[np.floating[Any]]

SHAPES = [(), (1,), (17,), (5, 7), (0,), (4099,)]


def c_fma(dtype: Float) -> Callable[..., Array]:
    """The C library's, which is correctly rounded."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    function, kind = (library.fmaf, ctypes.c_float) if dtype == np.float32 else (library.fma, ctypes.c_double)
    function.restype, function.argtypes = kind, [kind] * 3
    return np.vectorize(lambda a, b, c: dtype(function(a, b, c)), otypes=[dtype])


@np.errstate(all="ignore")
def assert_fma(dtype: Float, a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike, context: str) -> None:
    assert_same_bits(fma(a, b, c), c_fma(dtype)(a, b, c), context)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
class TestFma:
    def test_awkward_values(self, dtype: Float) -> None:
        table = AWKWARD[np.dtype(dtype)]
        a, b, c = np.meshgrid(table, table, table)
        assert_fma(dtype, a, b, c, "awkward")

    @pytest.mark.parametrize("kind", KINDS)
    def test_random_values(self, dtype: Float, kind: str) -> None:
        rng = np.random.default_rng(1)
        a, b, c = (draw(rng, 10_000, dtype, kind) for _ in range(3))
        assert_fma(dtype, a, b, c, kind)

    @pytest.mark.parametrize("scale", ["one", "subnormal", "largest"])
    def test_near_ties_and_cancellation(self, dtype: Float, scale: str) -> None:
        """Short significands make ties likely, an addend of the product's size makes cancellation likely."""
        rng, limits, count = np.random.default_rng(2), np.finfo(dtype), 10_000
        power = {"one": 0, "subnormal": limits.minexp - 20, "largest": limits.maxexp - 6}[scale]
        digits = limits.nmant // 2 + 1
        powers = [[power // 2], [power - power // 2]]
        a, b = np.ldexp(rng.integers(1, 2**digits, (2, count)) / 2**digits, powers).astype(dtype)
        with np.errstate(all="ignore"):
            c = np.ldexp(rng.integers(-7, 8, count) / 8, power + rng.integers(-40, 41, count)).astype(dtype)
        assert_fma(dtype, a, b, c, "ties")
        assert_fma(dtype, a, b, -(a * b), "cancellation")


@settings(deadline=None)
@given(*[st.floats(width=32)] * 3)
def test_fma_of_any_floats(a: float, b: float, c: float) -> None:
    for dtype in (np.float32, np.float64):
        assert_fma(dtype, dtype(a), dtype(b), dtype(c), dtype.__name__)


def test_fixed_sum_is_exact_where_nothing_rounds() -> None:
    for size in (0, 1, 15, 16, 17, SUM_BLOCK - 1, SUM_BLOCK, 3 * SUM_BLOCK + 5):
        values = np.random.default_rng(size).integers(-1000, 1000, size)
        assert fixed_sum(values.astype(np.float32)) == values.sum()


def test_fixed_sum_takes_its_lanes_apart() -> None:
    """The first and the seventeenth element share a lane, the first and the second do not."""
    values = np.zeros(17)
    values[[0, 16, 1]] = 1e16, -1e16, 1
    assert fixed_sum(values) == 1
    values[[0, 16, 1]] = 1e16, 1, -1e16
    assert fixed_sum(values) == 0
    assert math.fsum(values) == 1


def torch_case(
    rng: np.random.Generator,
    hyper: dict[str, Any],
    dtype: npt.DTypeLike,
    kind: str,
    grad_scale: float | None = None,
    steps: int = 5,
) -> None:
    params = [draw(rng, shape, dtype, kind) for shape in SHAPES]
    accums = [np.full_like(p, hyper["initial_accumulator_value"]) for p in params]
    counters = [np.zeros((), np.float32) for _ in params]
    tensors = [to_torch(p) for p in params]
    optimizer = torch.optim.Adagrad(tensors, fused=True, **hyper)
    if grad_scale is not None:
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(grad_scale), torch.tensor(0.0)
    rule = {name: value for name, value in hyper.items() if name != "initial_accumulator_value"}
    for step in range(steps):
        grads = [draw(rng, shape, dtype, kind) for shape in SHAPES]
        torch_step(optimizer, tensors, grads)
        scaled = scaled_gradients(params, grads, computing_type, grad_scale=grad_scale)
        for i, (p, s, counter, g) in enumerate(zip(params, accums, counters, scaled, strict=True)):
            assert g is not None
            torch_update(p, s, counter, g, **rule)
            context = f"{hyper} step {step} tensor {i}"
            state = optimizer.state[tensors[i]]
            assert_same_bits(p, to_numpy(tensors[i]), f"parameter, {context}")
            assert_same_bits(s, to_numpy(state["sum"]), f"sum, {context}")
            assert_same_bits(counter, to_numpy(state["step"]), f"step, {context}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_torch_rule(seed: int, dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(seed)
    hyper = {
        "lr": 10 ** rng.uniform(-4, 1),
        "lr_decay": rng.choice([0, 0.1, 10 ** rng.uniform(-6, 1)]),
        "weight_decay": rng.choice([0, 10 ** rng.uniform(-4, 1)]),
        "initial_accumulator_value": rng.choice([0, 0.1, 1]),
        "eps": rng.choice([0, 1e-10, 1e-3]),
        "maximize": bool(rng.integers(2)),
    }
    grad_scale = None if seed % 2 else float(2 ** rng.uniform(-3, 16))
    torch_case(rng, hyper, dtype, kind, grad_scale)


def test_torch_rate_is_fused() -> None:
    """A gradient of 1, without eps, moves a parameter of 0 by the rate itself."""
    rng = np.random.default_rng(6)
    for step, lr, lr_decay in zip(rng.integers(1, 2**24, 300), *(10 ** rng.uniform(-6, 1, (2, 300))), strict=True):
        tensor = torch.zeros(1, dtype=torch.float64)
        optimizer = torch.optim.Adagrad([tensor], lr, lr_decay, eps=0, fused=True)
        optimizer.state[tensor]["step"].fill_(step - 1)
        torch_step(optimizer, [tensor], [np.ones(1)])
        assert_same_bits(-torch_rate(lr, lr_decay, step), to_numpy(tensor)[0], f"{lr=} {lr_decay=} {step=}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", bfloat16], ids=str)
def test_torch_rule_in_half_types_with_exact_arguments(dtype: npt.DTypeLike, kind: str) -> None:
    """torch rounds the arguments to the half type for most elements, so only exact ones agree."""
    hyper = {"lr": 2**-5, "weight_decay": 2**-7, "initial_accumulator_value": 0.25, "eps": 2**-10}
    torch_case(np.random.default_rng(3), hyper, dtype, kind, grad_scale=8.0)


MINDSPORE_SHAPES = [(), (1,), (17,), (5, 7), (4099,)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("seed", range(3))
def test_mindspore_rule(seed: int, dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(seed)
    hyper: dict[str, Any] = {"weight_decay": [0.0, 0.01, 0.3][seed], "loss_scale": [1.0, 1024.0, 3.7][seed]}
    rate, start = 10 ** rng.uniform(-3, 0), [0.1, 1e-3, 0.0][seed]
    params = [draw_normal(rng, shape, dtype, kind) for shape in MINDSPORE_SHAPES]
    accums = [np.full_like(p, start) for p in params]
    optimizer = mindspore_adagrad(params, accum=start, learning_rate=rate, **hyper)
    for step in range(4):
        grads = [draw_normal(rng, shape, dtype, kind) for shape in MINDSPORE_SHAPES]
        mindspore_step(optimizer, grads)
        for i, (p, s, g) in enumerate(zip(params, accums, grads, strict=True)):
            mindspore_update(p, s, g, rate=rate, **hyper)
            assert_same_bits(p, optimizer.parameters[i].asnumpy(), f"parameter {i}, step {step}, {hyper}")
            assert_same_bits(s, optimizer.accum[i].asnumpy(), f"accumulator {i}, step {step}, {hyper}")


@pytest.mark.parametrize("kind", KINDS)
def test_mindspore_rule_in_float64(kind: str) -> None:
    rng, rate = np.random.default_rng(4), 0.123
    for shape in MINDSPORE_SHAPES:
        p, s, g = (draw_normal(rng, shape, "float64", kind) for _ in range(3))
        s = np.asarray(abs(s))
        expected = apply_adagrad(p, s, rate, g)
        mindspore_update(p, s, g, rate=rate)
        assert_same_bits(p, expected[0], f"parameter {shape}")
        assert_same_bits(s, expected[1], f"accumulator {shape}")
