"""Optimizers of MindSpore in every form: rates, decays, groups and their order."""

from collections.abc import Callable
from typing import Any

import numpy as np
from helpers.mindspore_arrays import TableDecay, TableSchedule, draw_normal, parameter
from mindspore import nn
from numpy_adagrad.inputs.types import Array

NAMES = ["dense.weight", "norm.beta", "table", "scale"]
SHAPES: list[tuple[int, ...]] = [(17, 5), (33,), (4, 16), ()]
STEPS = 3
RATES = [0.5, 0.25, 0.1, 0.07, 0.3, 0.2, 0.15, 0.12, 0.11]
DECAYS = [0.0, 0.1, 0.2, 0.0, 0.05, 0.1, 0.3, 0.2, 0.1]


def plain(params: list[Any]) -> Any:
    return nn.Adagrad(params, accum=0.25, learning_rate=0.037)


def decayed_and_scaled(params: list[Any]) -> Any:
    return nn.Adagrad(params, learning_rate=0.037, loss_scale=3.0, weight_decay=0.1)


def listed(params: list[Any]) -> Any:
    return nn.Adagrad(params, learning_rate=RATES, loss_scale=1024.0)


def scheduled(params: list[Any]) -> Any:
    schedule = nn.ExponentialDecayLR(0.1, 0.9, 4)
    return nn.Adagrad(
        params, learning_rate=schedule, weight_decay=TableDecay(np.array(DECAYS, np.float32)), loss_scale=3.0
    )


def grouped(params: list[Any]) -> Any:
    groups = [
        {"params": params[:2], "lr": 0.0123, "weight_decay": 0.1},
        {"params": params[2:3], "grad_centralization": False},
        {"params": params[3:], "lr": 0.05},
    ]
    return nn.Adagrad(groups, learning_rate=0.2, weight_decay=0.01, loss_scale=3.0)


def mixed_rates(params: list[Any]) -> Any:
    """Beside a dynamic rate MindSpore rounds fixed ones as (v + 1) - 1."""
    groups = [
        {"params": params[:1], "lr": RATES},
        {"params": params[1:2], "lr": 0.0123},
        {"params": params[2:], "weight_decay": TableDecay(np.array(DECAYS, np.float32))},
    ]
    return nn.Adagrad(groups, learning_rate=0.0456)


def unused_default(params: list[Any]) -> Any:
    """The default rate is dynamic and no group uses it: MindSpore still rounds the fixed ones as (v + 1) - 1."""
    groups = [{"params": params[:2], "lr": 0.0123}, {"params": params[2:], "lr": 0.0456}]
    return nn.Adagrad(groups, learning_rate=RATES)


def unused_schedule(params: list[Any]) -> Any:
    groups = [
        {"params": params[:2], "lr": 0.0123},
        {"params": params[2:], "lr": TableSchedule(np.array(RATES, np.float32))},
    ]
    return nn.Adagrad(groups, learning_rate=nn.CosineDecayLR(0.01, 0.1, 40))


def ordered(params: list[Any]) -> Any:
    groups = [
        {"params": params[:2], "lr": 0.0123},
        {"params": params[2:], "weight_decay": 0.2},
        {"order_params": [params[3], params[0], params[2], params[1]]},
    ]
    return nn.Adagrad(groups, learning_rate=0.2)


FORMS = [
    plain,
    decayed_and_scaled,
    listed,
    scheduled,
    grouped,
    mixed_rates,
    unused_default,
    unused_schedule,
    ordered,
]
Form = Callable[[list[Any]], Any]


def optimizer_of(form: Form, dtype: str = "float32", value: float | None = None) -> Any:
    rng = np.random.default_rng(1)
    arrays = [draw_normal(rng, shape, dtype, "normal") for shape in SHAPES]
    if value is not None:
        arrays = [np.full_like(array, value) for array in arrays]
    params = [parameter(name, array) for name, array in zip(NAMES, arrays, strict=True)]
    # A decay that is a Cell gives a gradient of shape (1,), which MindSpore does not take for a scalar.
    return form(params[:3] if form in (scheduled, mixed_rates) else params)


def grads_of(optimizer: Any, dtype: str = "float32") -> list[list[Array]]:
    rng = np.random.default_rng(2)
    shapes = [param.shape for param in optimizer.parameters]
    return [[draw_normal(rng, shape, dtype, "normal") for shape in shapes] for _ in range(3 * STEPS)]
