"""MindSporeAdagrad where MindSpore on CPU has no bits, or not those it documents: the oracle states ours."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.oracle import gradient_norm, mindspore_update, scaled_gradients
from helpers.values import KINDS, bfloat16, draw, normal, real_type
from numpy_adagrad import MindSporeAdagrad
from numpy_adagrad.inputs.types import Array

HALVES = [np.dtype(np.float16), bfloat16]
ALL = ["float32", "float64", *HALVES]
SHAPES = [(), (0,), (1,), (15,), (5, 7), (3, 4099), (5, 16), (2, 32, 300), (0, 16), (3, 0)]
RATE = 0.037


def draw_all(rng: np.random.Generator, dtype: npt.DTypeLike, kind: str) -> list[Array]:
    return [draw(rng, shape, dtype, kind) for shape in SHAPES]


def run(
    dtype: npt.DTypeLike,
    kind: str,
    *,
    grad_dtype: npt.DTypeLike | None = None,
    state_dtype: npt.DTypeLike | None = None,
    centralize: bool = False,
    scaling: dict[str, Any] | None = None,
    **arguments: Any,
) -> None:
    """Three steps beside the oracle."""
    rng, scaling = np.random.default_rng(1), scaling or {}
    params = draw_all(rng, dtype, kind)
    groups = [{"params": params, "grad_centralization": True}] if centralize else params
    ours = MindSporeAdagrad(groups, learning_rate=RATE, state_dtype=state_dtype, **arguments)
    expected = [p.copy() for p in params]
    accums = [np.full(p.shape, 0.1, state_dtype or p.dtype) for p in params]
    for step in range(3):
        grads = draw_all(rng, grad_dtype or dtype, kind)
        ours.step(grads, **scaling)
        scaled = scaled_gradients(expected, grads, real_type, **scaling, **scale_of(arguments))
        for i, grad in enumerate(scaled):
            assert grad is not None
            mindspore_update(expected[i], accums[i], grad, rate=RATE, centralize=centralize, **arguments)
            assert_same_bits(params[i], expected[i], f"parameter {i}, step {step}")
            assert_same_bits(ours.state[i]["accum"], accums[i], f"accumulator {i}, step {step}")


def scale_of(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name == "loss_scale"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ALL, ids=str)
class TestOwnBits:
    def test_frozen_accumulator(self, dtype: npt.DTypeLike, kind: str) -> None:
        run(dtype, kind, update_slots=False, weight_decay=0.1)

    def test_centralized_gradients(self, dtype: npt.DTypeLike, kind: str) -> None:
        run(dtype, kind, centralize=True)
        run(dtype, kind, centralize=True, weight_decay=0.1, loss_scale=3.7)

    def test_subnormals(self, dtype: npt.DTypeLike, kind: str) -> None:
        run(dtype, kind, weight_decay=0.013, loss_scale=1000.0)

    def test_scaling(self, dtype: npt.DTypeLike, kind: str) -> None:
        run(dtype, kind, scaling={"grad_scale": 3.7}, weight_decay=0.013)

    @pytest.mark.parametrize("max_norm", [1e-3, 0.7, 1e30])
    def test_clipping(self, dtype: npt.DTypeLike, kind: str, max_norm: float) -> None:
        run(dtype, kind, scaling={"max_norm": max_norm, "grad_scale": 0.1}, weight_decay=0.1, loss_scale=3.7)
        run(dtype, kind, scaling={"max_norm": max_norm}, centralize=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
class TestMixedTypes:
    def test_half_parameters_with_float32_accumulator(self, dtype: npt.DTypeLike, kind: str) -> None:
        run(dtype, kind, state_dtype=np.float32, weight_decay=0.013, loss_scale=3.7)

    def test_float32_parameters_with_half_gradients(self, dtype: npt.DTypeLike, kind: str) -> None:
        run(np.float32, kind, grad_dtype=dtype, weight_decay=0.013, loss_scale=3.7)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_norm_is_that_of_the_unscaled_loss(dtype: npt.DTypeLike) -> None:
    rng = np.random.default_rng(2)
    params, grads = draw_all(rng, dtype, "normal"), draw_all(rng, dtype, "normal")
    scaled = scaled_gradients(params, grads, real_type, grad_scale=0.3)
    ours = MindSporeAdagrad(params, loss_scale=1000.1)
    ours.step(grads, grad_scale=0.3, max_norm=1.0)
    assert_same_bits(np.float64(ours.grad_norm), gradient_norm(scaled, 1000.1), "norm")


@pytest.mark.parametrize("shape", [(5, 16), (2, 32, 3)])
def test_a_row_is_one_of_the_first_axis_also_in_fortran_order(shape: tuple[int, ...]) -> None:
    params = normal(*shape), np.asfortranarray(normal(*shape))
    for param in params:
        optimizer = MindSporeAdagrad([{"params": [param], "grad_centralization": True}])
        optimizer.step([normal(*shape, seed=2)])
    assert_same_bits(*params)
