"""MindSporeAdagrad against mindspore.nn.Adagrad, through the public interface, bit for bit.

Subnormals are left out in float32: MindSpore flushes them on some of its threads.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.mindspore_arrays import TableDecay, TableSchedule, apply_adagrad, draw_normal, mindspore_step, parameter
from helpers.values import KINDS
from mindspore import Tensor, nn
from numpy_adagrad import MindSporeAdagrad
from numpy_adagrad.inputs.types import Array

NAMES = ["conv.weight", "bn.gamma", "bn.beta", "alphabeta.q", "Beta", "Gamma.w", "fc.weight", "fc.bias"]
SHAPES = [(1,), (7,), (16,), (33,), (4, 5), (3, 17, 2), (257,), (1031,)]
STEPS = 4

# Each argument is drawn as a pair, in our form and in MindSpore's.


def draw_rate(
    rng: np.random.Generator, forms: Sequence[str] = ("float", "int", "tensor", "list", "array", "schedule")
) -> tuple[Any, Any]:
    form, table = rng.choice(forms), 10 ** rng.uniform(-4, 0.5, STEPS)
    if form == "schedule":
        table = table.astype(np.float32)
        return lambda step: table[step], TableSchedule(table)
    if form == "tensor":
        return np.array(table[0]), Tensor(np.array(table[0]))
    if form == "array":
        return table, Tensor(table)
    value = {"float": table[0].item(), "int": 1, "list": table.tolist()}[form]
    return value, value


def draw_decay(rng: np.random.Generator) -> tuple[Any, Any]:
    form = rng.choice(["none", "float", "callable"])
    if form == "callable":
        table = rng.uniform(0.001, 0.1, STEPS).astype(np.float32)
        return lambda step: table[step], TableDecay(table)
    value = 0.0 if form == "none" else float(rng.choice([1, 10 ** rng.uniform(-4, 0)]))
    return value, value


def draw_arguments(rng: np.random.Generator) -> dict[str, Any]:
    accum, loss_scale = float(rng.choice([0, 1e-3, 0.1, 2])), float(rng.choice([1, 1024, 3.7, 0.3]))
    return {
        "learning_rate": draw_rate(rng),
        "weight_decay": draw_decay(rng),
        "accum": (accum, accum),
        "loss_scale": (loss_scale, loss_scale),
    }


def draw_group_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """Arguments that a group may override, each present half of the time. None of our shapes can be centralized."""
    flag = bool(rng.integers(2))
    arguments = {"lr": draw_rate(rng), "weight_decay": draw_decay(rng), "grad_centralization": (flag, flag)}
    return {name: pair for name, pair in arguments.items() if rng.integers(2)}


def draw_params(
    rng: np.random.Generator, dtype: npt.DTypeLike, kind: str, shapes: list[tuple[int, ...]] = SHAPES
) -> dict[str, Array]:
    names = rng.permutation(NAMES)[: rng.integers(2, len(NAMES) + 1)].tolist()
    return {name: draw_normal(rng, shapes[rng.integers(len(shapes))], dtype, kind) for name in names}


def of_side(side: int, arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: pair[side] for name, pair in arguments.items()}


def params_of_side(
    side: int, own: dict[str, Any], groups: list[tuple[int, dict[str, Any]]] | None, order: list[str] | None
) -> list[Any]:
    """The parameters for one constructor. `own` maps names to that side's parameters, in the order of the groups."""
    if groups is None:
        return list(own.values())
    remaining = iter(own.values())
    params = [
        {"params": [next(remaining) for _ in range(size)], **of_side(side, arguments)} for size, arguments in groups
    ]
    return params + ([{"order_params": [own[name] for name in order]}] if order else [])


class Pair:
    """Both optimizers over equal parameters, compared after every step. A group is its size and arguments."""

    def __init__(
        self,
        params: dict[str, Array],
        groups: list[tuple[int, dict[str, Any]]] | None = None,
        order: list[str] | None = None,
        **arguments: Any,
    ) -> None:
        ours = {name: (name, array) for name, array in params.items()}
        theirs = {name: parameter(name, array) for name, array in params.items()}
        self.ours = MindSporeAdagrad(params_of_side(0, ours, groups, order), **of_side(0, arguments))
        self.theirs = nn.Adagrad(params_of_side(1, theirs, groups, order), **of_side(1, arguments))
        self.params = {name: params[name] for name in order or params}

    def step(self, grads: list[Array], context: object) -> None:
        self.ours.step(grads)
        mindspore_step(self.theirs, grads)
        for i, (name, param) in enumerate(self.params.items()):
            assert_same_bits(param, self.theirs.parameters[i].asnumpy(), f"{name}, {context}")
            accum = self.theirs.accum[i].asnumpy()
            assert_same_bits(self.ours.state[i]["accum"], accum, f"accum.{name}, {context}")
        assert_same_bits(self.ours.global_step, self.theirs.global_step.asnumpy(), f"global_step, {context}")

    def run(self, rng: np.random.Generator, dtype: npt.DTypeLike, kind: str, context: object) -> None:
        for step in range(STEPS):
            grads = [draw_normal(rng, p.shape, dtype, kind) for p in self.params.values()]
            self.step(grads, f"step {step}, {kind}, {context}")


CONFIGURATIONS = [("float32", seed) for seed in range(60)] + [("float16", seed) for seed in range(20)]


@pytest.mark.parametrize(("dtype", "seed"), CONFIGURATIONS)
def test_plain_parameters(dtype: npt.DTypeLike, seed: int) -> None:
    rng, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    arguments = draw_arguments(rng)
    Pair(draw_params(rng, dtype, kind), **arguments).run(rng, dtype, kind, arguments)


@pytest.mark.parametrize(("dtype", "seed"), CONFIGURATIONS)
def test_groups(dtype: npt.DTypeLike, seed: int) -> None:
    rng, kind = np.random.default_rng(1000 + seed), KINDS[seed % len(KINDS)]
    params, arguments = draw_params(rng, dtype, kind), draw_arguments(rng)
    cut = int(rng.integers(1, len(params)))
    groups = [(size, draw_group_arguments(rng)) for size in (cut, len(params) - cut)]
    order = rng.permutation(list(params)).tolist() if rng.integers(2) else None
    pair = Pair(params, groups, order, **arguments)
    pair.run(rng, dtype, kind, f"groups {groups}, {order=}, {arguments}")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_zero_dimensional_parameters(dtype: npt.DTypeLike) -> None:
    """Apart from the others because MindSpore cannot decay them by a Cell."""
    rng = np.random.default_rng(7)
    pair = Pair({"a": draw_normal(rng, (), dtype, "normal"), "b": draw_normal(rng, (3,), dtype, "normal")})
    pair.run(rng, dtype, "normal", "")


def test_a_fixed_rate_beside_a_schedule() -> None:
    """MindSpore adds 1 to such a rate and takes it off again, which changes its bits."""
    rng = np.random.default_rng(8)
    for rate in 10 ** rng.uniform(-6, 1, 8):
        params = {name: draw_normal(rng, (33,), "float32", "normal") for name in ("a", "b", "c")}
        groups = [(1, {"lr": draw_rate(rng, ["schedule"])}), (1, {"lr": (rate, rate)}), (1, {})]
        Pair(params, groups, learning_rate=(rate / 3, rate / 3)).run(rng, "float32", "normal", f"{rate=}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("weight_decay", "loss_scale"), [(0.0, 1.0), (0.037, 1.0), (0.037, 3.7), (0.0, 0.5)])
def test_float64_against_the_operator(weight_decay: float, loss_scale: float, kind: str) -> None:
    """nn.Adagrad has only float32 precision here, so the steps before the operator are written out."""
    rng, rate = np.random.default_rng(9), 0.123
    params = [draw_normal(rng, shape, "float64", kind) for shape in SHAPES]
    ours = MindSporeAdagrad(params, 0.1, rate, loss_scale=loss_scale, weight_decay=weight_decay)
    decay, unscale = np.array([weight_decay * loss_scale, 1 / loss_scale], np.float32).astype(np.float64)
    for step in range(STEPS):
        grads = [draw_normal(rng, shape, "float64", kind) for shape in SHAPES]
        before = [(p.copy(), ours.state[i]["accum"].copy()) for i, p in enumerate(params)]
        ours.step(grads)
        for i, ((param, accum), grad) in enumerate(zip(before, grads, strict=True)):
            with np.errstate(all="ignore"):
                prepared = (param * decay + grad if decay else grad) * unscale
            expected = apply_adagrad(param, accum, rate, prepared)
            assert_same_bits(params[i], expected[0], f"parameter {i}, step {step}")
            assert_same_bits(ours.state[i]["accum"], expected[1], f"accumulator {i}, step {step}")
