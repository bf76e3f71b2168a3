"""The oracle of the torch rule against torch.optim.Adagrad(fused=True), bit for bit."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.oracle import computing_type, scaled_gradients, torch_rate, torch_update
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from helpers.values import KINDS, bfloat16, draw

SHAPES = [(), (1,), (17,), (5, 7), (0,), (4099,)]


def check(
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
def test_random_arguments(seed: int, dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(seed)
    hyper = {
        "lr": 10 ** rng.uniform(-4, 1),
        "lr_decay": rng.choice([0, 0.1, 10 ** rng.uniform(-6, 1)]),
        "weight_decay": rng.choice([0, 1, 10 ** rng.uniform(-4, 1)]),
        "initial_accumulator_value": rng.choice([0, 0.1, 1]),
        "eps": rng.choice([0, 1e-10, 1e-3]),
        "maximize": bool(rng.integers(2)),
    }
    grad_scale = None if seed % 2 else float(2 ** rng.uniform(-3, 16))
    check(rng, hyper, dtype, kind, grad_scale)


def test_rate_is_fused() -> None:
    """A gradient of 1, without eps, changes a parameter of 0 by the rate itself."""
    rng = np.random.default_rng(6)
    for step, lr, lr_decay in zip(rng.integers(1, 2**24, 300), *(10 ** rng.uniform(-6, 1, (2, 300))), strict=True):
        tensor = torch.zeros(1, dtype=torch.float64)
        optimizer = torch.optim.Adagrad([tensor], lr, lr_decay, eps=0, fused=True)
        optimizer.state[tensor]["step"].fill_(step - 1)
        torch_step(optimizer, [tensor], [np.ones(1)])
        assert_same_bits(-torch_rate(lr, lr_decay, step), to_numpy(tensor)[0], f"{lr=} {lr_decay=} {step=}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", bfloat16], ids=str)
def test_half_types_with_exact_arguments(dtype: npt.DTypeLike, kind: str) -> None:
    """torch rounds the arguments to the half type for most elements, so only exact ones agree."""
    hyper = {"lr": 2**-5, "weight_decay": 2**-7, "initial_accumulator_value": 0.25, "eps": 2**-10}
    check(np.random.default_rng(3), hyper, dtype, kind, grad_scale=8.0)
