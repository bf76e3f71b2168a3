"""TorchAdagrad against torch.optim.Adagrad(fused=True), through the public interface, bit for bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from helpers.values import KINDS, bfloat16, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array

SHAPES = [(), (0,), (1,), (7,), (15,), (16,), (33,), (4, 5), (3, 0, 2), (2, 3, 5), (257,), (1031,)]
HALVES = [np.dtype(np.float16), bfloat16]


def draw_rate(rng: np.random.Generator) -> float | Array:
    """A learning rate: a float, or one of the arrays of one element that stand for a tensor."""
    rate = 10 ** rng.uniform(-5, 1)
    forms: list[float | Array] = [rate, np.array(rate), np.array([rate]), np.array(rate, np.float32)]
    return forms[rng.integers(4)]


def draw_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Arguments that a group may override, each present half of the time."""
    arguments = {
        "lr": draw_rate(rng),
        "lr_decay": float(rng.choice([0, 0.1, 10 ** rng.uniform(-6, 1)])),
        "weight_decay": float(rng.choice([0, 1, 10 ** rng.uniform(-4, 1)])),
        "eps": float(rng.choice([0, 1e-10, 1e-3])),
        "maximize": bool(rng.integers(2)),
    }
    return {name: value for name, value in arguments.items() if rng.integers(2)}


def for_torch(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: to_torch(x) if isinstance(x, np.ndarray) else x for name, x in arguments.items()}


class Pair:
    """Both optimizers over equal parameters. `groups` are lists of arrays and the arguments of that group."""

    def __init__(self, groups: list[tuple[list[Array], dict[str, Any]]], **defaults: Any) -> None:
        self.params = [p for params, _ in groups for p in params]
        self.tensors = [to_torch(p) for p in self.params]
        self.ours = TorchAdagrad([{"params": params, **own} for params, own in groups], **defaults)
        remaining = iter(self.tensors)
        self.theirs = torch.optim.Adagrad(
            [{"params": [next(remaining) for _ in params], **for_torch(own)} for params, own in groups],
            fused=True,
            **for_torch(defaults),
        )

    def step(self, grads: Sequence[Array | None], context: str, **scaling: Any) -> None:
        self.ours.step(grads, **scaling)
        torch_step(self.theirs, self.tensors, grads)
        for i, (param, tensor) in enumerate(zip(self.params, self.tensors, strict=True)):
            state, expected = self.ours.state[i], self.theirs.state[tensor]
            assert_same_bits(param, to_numpy(tensor), f"parameter {i}, {context}")
            assert_same_bits(state["sum"], to_numpy(expected["sum"]), f"sum {i}, {context}")
            assert_same_bits(state["step"], to_numpy(expected["step"]), f"step {i}, {context}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(120))
def test_random_configurations(seed: int, dtype: npt.DTypeLike) -> None:
    rng, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    defaults = {"initial_accumulator_value": float(rng.choice([0, 0.1, 2])), **draw_arguments(rng)}
    groups = []
    for _ in range(rng.integers(1, 4)):
        shapes = [SHAPES[i] for i in rng.integers(len(SHAPES), size=rng.integers(1, 5))]
        groups.append(([draw(rng, shape, dtype, kind) for shape in shapes], draw_arguments(rng)))
    pair = Pair(groups, **defaults)
    for step in range(rng.integers(1, 51)):
        if rng.random() < 0.1:
            pair.ours.param_groups[0]["lr"] = pair.theirs.param_groups[0]["lr"] = 10 ** rng.uniform(-5, 1)
        grads = [None if rng.random() < 0.15 else draw(rng, p.shape, dtype, kind) for p in pair.params]
        pair.step(grads, f"step {step}, {kind}, {defaults}, groups {[own for _, own in groups]}")


@settings(deadline=None)
@given(
    rows=arrays(np.float32, (3, 5)),
    arguments=st.fixed_dictionaries(
        {name: st.floats(0, 1e30) for name in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")}
    ),
    maximize=st.booleans(),
)
def test_any_floats(rows: Array, arguments: dict[str, Any], maximize: bool) -> None:
    param, *grads = rows
    pair = Pair([([param.copy()], {})], maximize=maximize, **arguments)
    for step, grad in enumerate(grads):
        pair.step([grad], f"step {step}, {arguments}, {maximize=}")


LAST_STEPS = [2**24 - 2, 2**24 - 1, 2**24, 2**24 + 2, 2**25]


def test_effective_rate() -> None:
    """Late steps and any decay, in float64 where every bit of the rate shows; the counter is float32."""
    rng = np.random.default_rng(6)
    rates = 10 ** rng.uniform(-6, 1, (300, 2))
    pair = Pair([([np.zeros(1)], {"lr": lr, "lr_decay": lr_decay}) for lr, lr_decay in rates])
    steps = [*rng.integers(2**24, size=200), *np.resize(LAST_STEPS, 100)]
    for i, (tensor, step) in enumerate(zip(pair.tensors, steps, strict=True)):
        pair.ours.state[i]["step"][...] = step
        pair.theirs.state[tensor]["step"].fill_(step)
    for step in range(3):
        pair.step([np.ones(1)] * len(pair.params), f"step {step}")


def test_counter_stops_at_two_to_the_24() -> None:
    pair = Pair([([np.ones(3, np.float32)], {})], lr=0.1, lr_decay=1e-7)
    pair.ours.state[0]["step"][...] = 2**24 - 2
    pair.theirs.state[pair.tensors[0]]["step"].fill_(2**24 - 2)
    for step in range(4):
        pair.step([np.full(3, 0.1, np.float32)], f"step {step}")
    assert pair.ours.state[0]["step"] == 2**24


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64", *HALVES], ids=str)
def test_grad_scale(dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(5)
    for scale in (2.0**-10, 3.0, 0.1, 65536.0):
        params = [draw(rng, shape, dtype, kind) for shape in SHAPES]
        pair = Pair([(params, {})], lr=2**-4, eps=2**-8, weight_decay=2**-6)
        pair.theirs.grad_scale, pair.theirs.found_inf = torch.tensor(scale), torch.tensor(0.0)
        for step in range(3):
            grads = [draw(rng, shape, dtype, kind) for shape in SHAPES]
            pair.step(grads, f"step {step}, {scale=}", grad_scale=scale)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("seed", range(40))
def test_half_types_with_exact_arguments(seed: int, dtype: npt.DTypeLike) -> None:
    """torch rounds the arguments to the half type for most elements, so only exact ones agree."""
    rng, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    lr, eps, decay, start = 2.0 ** rng.integers([-6, -10, -8, -4], 3)
    arguments = {"lr": lr, "eps": eps, "maximize": bool(rng.integers(2)), "initial_accumulator_value": start}
    arguments["weight_decay"] = rng.choice([0, decay])
    pair = Pair([([draw(rng, shape, dtype, kind) for shape in SHAPES], {})], **arguments)
    for step in range(10):
        grads = [None if rng.random() < 0.15 else draw(rng, shape, dtype, kind) for shape in SHAPES]
        pair.step(grads, f"step {step}, {arguments}")
