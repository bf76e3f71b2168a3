"""TorchAdagrad where torch's fused step does not decide the bits: the oracle states them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits, differing
from helpers.oracle import computing_type, gradient_norm, scaled_gradients, torch_update
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from helpers.values import KINDS, bfloat16, draw
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer

HALVES = [np.dtype(np.float16), bfloat16]
ALL = ["float32", "float64", *HALVES, "complex64", "complex128"]
SHAPES = [(), (0,), (1,), (15,), (16,), (5, 7), (1031,), (3, 4099)]
ARGUMENTS: dict[str, Any] = {"lr": 0.037, "weight_decay": 0.013, "eps": 1e-6, "initial_accumulator_value": 0.1}


class Oracle:
    """The oracle over copies of the parameters, to be compared with an optimizer of ours."""

    def __init__(
        self,
        params: list[Array],
        *,
        initial_accumulator_value: float = 0,
        state_dtype: npt.DTypeLike | None = None,
        **rule: Any,
    ) -> None:
        self.rule = rule
        self.params = [p.copy() for p in params]
        self.sums = [np.zeros(p.shape, state_dtype or p.dtype) for p in params]
        self.steps = [np.zeros((), np.float32) for _ in params]
        for s in self.sums:
            s[...] = initial_accumulator_value * (1 + 1j if s.dtype.kind == "c" else 1)

    def step(self, grads: Sequence[Array | None], **scaling: Any) -> None:
        scaled = scaled_gradients(self.params, grads, computing_type, **scaling)
        for param, accum, counter, grad in zip(self.params, self.sums, self.steps, scaled, strict=True):
            if grad is not None:
                torch_update(param, accum, counter, grad, **self.rule)

    def assert_equals(self, optimizer: Optimizer, params: list[Array], context: str) -> None:
        for i, param in enumerate(params):
            assert_same_bits(param, self.params[i], f"parameter {i}, {context}")
            assert_same_bits(optimizer.state[i]["sum"], self.sums[i], f"sum {i}, {context}")
            assert_same_bits(optimizer.state[i]["step"], self.steps[i], f"step {i}, {context}")


def draw_all(rng: np.random.Generator, dtype: npt.DTypeLike, kind: str) -> list[Array]:
    return [draw(rng, shape, dtype, kind) for shape in SHAPES]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_half_types(dtype: npt.DTypeLike, kind: str) -> None:
    """Arguments that the half type cannot hold: torch rounds them, except for the last n % 16 elements."""
    rng = np.random.default_rng(1)
    params = draw_all(rng, dtype, kind)
    tensors = [to_torch(p) for p in params]
    oracle = Oracle(params, **ARGUMENTS, lr_decay=0.01, maximize=True)
    ours = TorchAdagrad(params, **ARGUMENTS, lr_decay=0.01, maximize=True)
    theirs = torch.optim.Adagrad(tensors, **ARGUMENTS, lr_decay=0.01, maximize=True, fused=True)
    for step in range(6):
        grads = draw_all(rng, dtype, kind)
        ours.step(grads)
        oracle.step(grads)
        torch_step(theirs, tensors, grads)
        oracle.assert_equals(ours, params, f"step {step}")
    distance = sum(differing(p, to_numpy(t)).sum() for p, t in zip(params, tensors, strict=True))
    assert 0.08 < distance / sum(p.size for p in params) < 0.24  # see docs/reference/fidelity.md


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_half_parameters_with_float32_accumulator(dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(2)
    params = draw_all(rng, dtype, kind)
    oracle = Oracle(params, **ARGUMENTS, state_dtype=np.float32)
    ours = TorchAdagrad(params, **ARGUMENTS, state_dtype=np.float32)
    for step in range(6):
        grads = draw_all(rng, dtype, kind)
        ours.step(grads)
        oracle.step(grads)
        oracle.assert_equals(ours, params, f"step {step}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_float32_parameters_with_half_gradients(dtype: npt.DTypeLike, kind: str) -> None:
    """The gradient is widened first: torch decides the bits after that."""
    rng = np.random.default_rng(3)
    params = draw_all(rng, np.float32, kind)
    tensors = [to_torch(p) for p in params]
    ours, theirs = TorchAdagrad(params, **ARGUMENTS), torch.optim.Adagrad(tensors, **ARGUMENTS, fused=True)
    for step in range(6):
        grads = draw_all(rng, dtype, kind)
        ours.step(grads)
        torch_step(theirs, tensors, [g.astype(np.float32) for g in grads])
        for i, (param, tensor) in enumerate(zip(params, tensors, strict=True)):
            assert_same_bits(param, to_numpy(tensor), f"parameter {i}, step {step}")


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex(dtype: npt.DTypeLike, kind: str, maximize: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch has no fused complex step. The other one has our bits once its square root is correctly rounded."""
    monkeypatch.setattr(torch, "_foreach_sqrt", lambda sums: [to_torch(np.sqrt(s.numpy())) for s in sums])
    arguments = {**ARGUMENTS, "lr_decay": 0.5, "maximize": maximize}
    rng = np.random.default_rng(4)
    params = draw_all(rng, dtype, kind)
    tensors = [to_torch(p) for p in params]
    oracle, ours = Oracle(params, **arguments), TorchAdagrad(params, **arguments)
    theirs = torch.optim.Adagrad(tensors, **arguments, foreach=True)
    for step in range(6):
        grads = draw_all(rng, dtype, kind)
        ours.step(grads)
        oracle.step(grads)
        torch_step(theirs, tensors, grads)
        oracle.assert_equals(ours, params, f"step {step}")
        for i, tensor in enumerate(tensors):
            assert_same_bits(params[i], to_numpy(tensor), f"parameter {i}, step {step}")
            assert_same_bits(ours.state[i]["sum"], theirs.state[tensor]["sum"].numpy(), f"sum {i}, step {step}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ALL, ids=str)
@pytest.mark.parametrize("max_norm", [1e-3, 0.7, 1e30])
def test_clipping(max_norm: float, dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(6)
    params = draw_all(rng, dtype, kind)
    oracle, ours = Oracle(params, **ARGUMENTS), TorchAdagrad(params, **ARGUMENTS)
    for step in range(3):
        grads = [None if rng.random() < 0.1 else g for g in draw_all(rng, dtype, kind)]
        scaled = scaled_gradients(params, grads, computing_type, grad_scale=3.7)
        ours.step(grads, max_norm=max_norm, grad_scale=3.7)
        oracle.step(grads, max_norm=max_norm, grad_scale=3.7)
        assert_same_bits(np.float64(ours.grad_norm), gradient_norm(scaled), f"norm, step {step}")
        oracle.assert_equals(ours, params, f"step {step}")
