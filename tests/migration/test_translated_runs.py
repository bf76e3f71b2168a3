"""Translations run by the real libraries: exact ones differ by rounding, the others by as much as their notes say.

The bounds are running error analyses (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.3): each
rounded operation changes its result by at most `HALF_UNIT` of it, and its effects on later values are added up.
"""

import math
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.trajectories import (
    SIZE,
    STEPS,
    Each,
    Options,
    Trajectory,
    constant,
    gradients,
    mindspore_trajectory,
    start,
    torch_trajectory,
)
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.migration.error_bounds import (
    HALF_UNIT,
    NEAR,
    difference,
    equality_threshold,
    near_threshold,
    update_ratio,
)
from numpy_adagrad.migration.mindspore import EPS
from numpy_adagrad.migration.spec import Eps

ULP = 2 * HALF_UNIT  # of numbers between 1 and 2


def allowed(trajectory: Trajectory, grads: Array, options: Options, decay: Each, scale: float) -> Array:
    """Bounds on the difference of the libraries' parameters after each step: to first order, and 1 % for the rest.

    Along torch's trajectory, with e the bound on a difference, u half a unit, d the decay and g the decayed gradient:

    - e_g = d e_w + u |w d| + 2 u |g|, as the note on weight_decay says; under a loss scale 2 u |w d| more for the
      rounded d of both, and 3 u |g| for torch's quotient and MindSpore's reciprocal and product;
    - e_s grows by 2 |g| e_g + e_g^2 + 3 u s: torch rounds once, MindSpore twice;
    - e_update = update (e_g / |g| + e_s / 2 s + 12 u + the note on eps): torch rounds rate, product, root, sum and
      quotient, MindSpore rate, product, sum, root, reciprocal and product; one more for a rate on an edge;
    - e_w grows by e_update + 2 u |w|: each rounds the new parameter once.
    """
    u, scaled = HALF_UNIT, scale != 1
    both, initial = (Eps(options["eps"], "to the root"), EPS), options["initial_accumulator_value"]
    per_update = 12 * u + (0 if initial >= equality_threshold(*both) else difference(*both, initial))
    e_w, e_s = np.zeros(SIZE), np.zeros(SIZE)
    rows = []
    for step, grad in enumerate(grads.astype(np.float64)):
        before, after, s = (part[step].astype(np.float64) for part in trajectory)
        d = decay(step)
        g = np.abs(grad / scale + d * before)
        e_g = d * e_w + u * (1 + 2 * scaled) * d * np.abs(before) + u * (2 + 3 * scaled) * g * bool(d or scaled)
        e_s = e_s + 2 * g * e_g + e_g**2 + 3 * u * s
        rate = constant(options["lr"])(step) / (1 + step * options.get("lr_decay", 0))
        e_w = (
            e_w
            + rate / np.sqrt(s) * (e_g + g * (e_s / (2 * s) + per_update))
            + 2 * u * np.maximum(abs(before), abs(after))
        )
        rows.append(1.01 * e_w)
    return np.array(rows)


def compare(for_torch: Options, for_mindspore: Options, scale: float = 1, **how: Any) -> tuple[Array, Array]:
    """Run both libraries with these arguments, and otherwise as the notes say; return differences and bounds."""
    decay = for_mindspore.get("weight_decay", 0)
    param, grads = start(), gradients()
    sign = np.float32(-1 if for_torch.get("maximize") else 1)
    scaled = np.float32(scale) * grads
    trajectory = torch_trajectory(param, scaled, for_torch, decay if callable(decay) else None, scale)
    theirs = mindspore_trajectory(param, sign * scaled, for_mindspore, **how)
    bounds = allowed(trajectory, sign * scaled, for_torch, constant(decay), scale)
    return np.abs(trajectory.after.astype(np.float64) - theirs), bounds


def assert_within(differences: Array, bounds: Array) -> None:
    assert (differences <= bounds).all(), f"{(differences / bounds).max():.2f} of the bound"


def rate(step: int) -> float:
    return 0.05 / math.sqrt(1 + step)


def small_decay(step: int) -> float:
    return 0.1 / (1 + step)


FROM_TORCH: dict[str, Options] = {
    "defaults": {},
    "lr": {"lr": 0.1},
    "large accumulator": {"lr": 0.1, "initial_accumulator_value": 4},
    "lr_decay": {"lr": 0.1, "lr_decay": 0.3},
    "weight_decay": {"lr": 0.1, "weight_decay": 0.1},
    "maximize": {"lr": 0.1, "maximize": True},
    "all": {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.03, "maximize": True, "eps": 1e-8},
}
FROM_MINDSPORE: dict[str, Options] = {
    "defaults": {},
    "learning_rate": {"learning_rate": 0.1},
    "large accumulator": {"learning_rate": 0.1, "accum": 4.0},
    "list": {"learning_rate": [rate(step) for step in range(STEPS)]},
    "callable": {"learning_rate": rate},
    "update_slots": {"learning_rate": 0.1, "update_slots": False},
    "weight_decay": {"learning_rate": 0.1, "weight_decay": 0.1},
    "callable weight_decay": {"learning_rate": 0.1, "weight_decay": small_decay},
    "power of two": {"learning_rate": 0.1, "loss_scale": 1024.0},
    "loss_scale": {"learning_rate": 0.1, "loss_scale": 1000.0},
    "both": {"learning_rate": 0.1, "loss_scale": 0.3, "weight_decay": 0.1},
    "all": {"learning_rate": rate, "loss_scale": 3000.0, "weight_decay": small_decay, "update_slots": True},
}


def from_torch(**options: Any) -> tuple[Options, Options]:
    """Arguments of both, with an accumulator beside which float32 absorbs both eps."""
    options = {"initial_accumulator_value": 1.0, **options}
    translated = translate("torch", "mindspore", **options).arguments
    return {"lr": 0.01, "eps": 1e-10, **options}, translated


def from_mindspore(**options: Any) -> tuple[Options, Options]:
    options = {"accum": 1.0, **options}
    translated = translate("mindspore", "torch", **options).arguments
    return translated, {"learning_rate": 0.001, **options}


@pytest.mark.parametrize("options", FROM_TORCH.values(), ids=FROM_TORCH)
def test_from_torch(options: Options) -> None:
    differences, bounds = compare(*from_torch(**options))
    assert_within(differences, bounds)
    assert bounds.max() < 64 * ULP


@pytest.mark.parametrize("options", FROM_MINDSPORE.values(), ids=FROM_MINDSPORE)
def test_from_mindspore(options: Options) -> None:
    differences, bounds = compare(*from_mindspore(**options), scale=options.get("loss_scale", 1))
    assert_within(differences, bounds)
    assert bounds.max() < 64 * ULP


MISTAKES = [
    ("accum", 0.1),
    ("accum", 1.0001),
    ("learning_rate", 0.0999),
    ("weight_decay", 0.0),
    ("weight_decay", 0.0999),
    ("loss_scale", 1.001),
]


@pytest.mark.parametrize(("name", "value"), MISTAKES)
def test_the_bounds_see_a_mistake(name: str, value: float) -> None:
    for_torch, for_mindspore = from_torch(lr=0.1, weight_decay=0.1)
    differences, bounds = compare(for_torch, {**for_mindspore, name: value})
    assert (differences > 2 * bounds).any()


@pytest.mark.parametrize("accum", [0.01, 0.1, 0.25, 1.0])
@pytest.mark.parametrize("eps", [1e-10, 1e-8, 1e-6, 1e-4, 1e-3])
def test_eps_of_torch_beside_accumulators(eps: float, accum: float) -> None:
    """Each update may differ by as much as the note says."""
    assert_within(*compare(*from_torch(lr=0.1, eps=eps, initial_accumulator_value=accum)))


@pytest.mark.parametrize("accum", [0.01, 0.1, 0.25, 1.0])
def test_eps_of_mindspore_beside_accumulators(accum: float) -> None:
    assert_within(*compare(*from_mindspore(learning_rate=0.1, accum=accum)))


def updates(for_torch: Options, for_mindspore: Options) -> tuple[Array, Array, Array]:
    """From zero along gradients of one sign and every size: the parameters of both, and torch's accumulators.

    With additions of one sign only, the relative errors of parameter and accumulator stay small. `ROUNDED` bounds them.
    """
    sizes = np.geomspace(1e-15, 10, 321).astype(np.float32)
    factors = np.random.default_rng(3).uniform(0.5, 1, STEPS).astype(np.float32)
    grads = factors[:, np.newaxis] * sizes
    zero = np.zeros_like(sizes)
    trajectory = torch_trajectory(zero, grads, for_torch)
    return (
        trajectory.after.astype(np.float64),
        mindspore_trajectory(zero, grads, for_mindspore).astype(np.float64),
        trajectory.accum,
    )


ROUNDED = (12 + 1.5 * STEPS + 2 * STEPS) * 1.01 * HALF_UNIT
"""The relative error of a sum of updates: 12 half units for an update as above, half of 3 for each addition to its
accumulator, 2 for each addition to the parameter."""


def assert_ratio(for_torch: Options, for_mindspore: Options) -> None:
    """The sums of updates have the ratio that the note states for each, and in the first step all of its range."""
    eps, accum = Eps(for_torch["eps"], "to the root"), for_torch["initial_accumulator_value"]
    of_torch, of_mindspore, accumulators = updates(for_torch, for_mindspore)
    ratio = of_mindspore / of_torch
    least, greatest = update_ratio(eps, EPS, accum)
    assert least * (1 - ROUNDED) <= ratio.min()
    assert ratio.max() <= greatest * (1 + ROUNDED)
    assert ratio[0].min() <= least * 1.001
    assert ratio[0].max() >= greatest * 0.99
    near = accumulators[0] >= near_threshold(eps, EPS)
    assert np.abs(ratio[:, near] - 1).max() <= NEAR + ROUNDED


@pytest.mark.parametrize("accum", [0, 1e-6, 0.1])
@pytest.mark.parametrize("eps", [1e-10, 1e-8, 1e-6, 1e-4, 1e-3])
def test_ratio_of_updates_from_torch(eps: float, accum: float) -> None:
    assert_ratio(*from_torch(lr=0.1, eps=eps, initial_accumulator_value=accum))


@pytest.mark.parametrize("accum", [0.0, 1e-6, 0.1])
def test_ratio_of_updates_from_mindspore(accum: float) -> None:
    assert_ratio(*from_mindspore(learning_rate=0.1, accum=accum))


@pytest.mark.parametrize("name", ["layer.gamma", "beta"])
def test_names_that_do_not_decay(name: str) -> None:
    """As the notes say: in MindSpore one group decays them all; in torch a group without decay spares them."""
    for_torch, for_mindspore = from_torch(lr=0.1, weight_decay=0.1)
    differences, bounds = compare(for_torch, for_mindspore, name=name)
    assert (differences > 2 * bounds).any()
    assert_within(*compare(for_torch, for_mindspore, name=name, grouped=True))
    without = mindspore_trajectory(start(), gradients(), for_mindspore, name=name)
    assert_same_bits(without, mindspore_trajectory(start(), gradients(), {**for_mindspore, "weight_decay": 0.0}))


def test_ours_take_a_callable_where_mindspore_takes_a_list() -> None:
    _, for_mindspore = from_torch(lr=0.1, lr_decay=0.3, weight_decay=0.1)
    param, grads = start(), gradients()
    optimizer = MindSporeAdagrad({"w": param}, **for_mindspore)
    expected = mindspore_trajectory(param, grads, for_mindspore)
    for grad, row in zip(grads, expected, strict=True):
        optimizer.step([grad])
        assert_same_bits(param, row)


def test_ours_take_a_list_as_a_callable() -> None:
    for_torch, _ = from_mindspore(learning_rate=[rate(step) for step in range(STEPS)], weight_decay=0.1)
    param, grads = start(), gradients()
    expected = torch_trajectory(param, grads, for_torch)
    optimizer = TorchAdagrad([param], **for_torch)
    for grad, row in zip(grads, expected.after, strict=True):
        optimizer.step([grad])
        assert_same_bits(param, row)
