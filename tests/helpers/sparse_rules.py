"""Each rule with sparse gradients: its options, an optimizer, and the oracle that steps beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from helpers.oracle import computing_type
from helpers.sparse_oracle import mindspore_rows, scaled_totals, torch_rows, total_rows
from helpers.values import real_type
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array

START = 0.1


class Oracle(Protocol):
    """Copies of a parameter and its accumulator, updated by the oracle of a rule."""

    param: Array
    accum: Array

    def step(self, indices: Array, values: Array, **scaling: Any) -> None: ...


class TorchOracle:
    def __init__(self, param: Array, options: Mapping[str, Any], state_dtype: npt.DTypeLike | None = None) -> None:
        self.maximize = options.get("maximize", False)
        self.options = {key: value for key, value in options.items() if key != "maximize"}
        self.param, self.count = param.copy(), np.zeros((), np.float32)
        self.accum = np.full(param.shape, START, state_dtype or param.dtype)

    def step(self, indices: Array, values: Array, **scaling: Any) -> None:
        rows, totals = total_rows(indices, -values if self.maximize else values)
        g = scaled_totals(totals, computing_type(self.param.dtype), **scaling)
        single = len(rows) == 1 and self.param.ndim == 1
        torch_rows(self.param, self.accum, self.count, rows, g, single_element=single, **self.options)


class MindSporeOracle:
    def __init__(self, param: Array, options: Mapping[str, Any], state_dtype: npt.DTypeLike | None = None) -> None:
        self.param, self.options = param.copy(), options
        self.accum = np.full(param.shape, START, state_dtype or param.dtype)

    def step(self, indices: Array, values: Array, **scaling: Any) -> None:
        rows, totals = total_rows(indices, values)
        kept, loss_scale = real_type(self.param.dtype), self.options.get("loss_scale", 1.0)
        g = scaled_totals(totals, kept, **scaling, loss_scale=loss_scale)
        mindspore_rows(self.param, self.accum, rows, g, **self.options)


def draw_torch_options(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "lr": rng.choice([0.037, 1.0]),
        "lr_decay": rng.choice([0, 0.1]),
        "eps": rng.choice([1e-10, 0.1]),
        "weight_decay": rng.choice([0, 0.013]),
        "maximize": bool(rng.integers(2)),
    }


def draw_mindspore_options(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "rate": 0.037,
        "weight_decay": float(rng.choice([0, 0.013])),
        "loss_scale": float(rng.choice([1, 3.7])),
        "update_slots": bool(rng.integers(2)),
        "centralize": bool(rng.integers(2)),
    }


def make_torch(param: Array, options: Mapping[str, Any], state_dtype: npt.DTypeLike | None = None) -> TorchAdagrad:
    own: dict[str, Any] = {"initial_accumulator_value": START, "sparse_weight_decay": "touched"}
    return TorchAdagrad([param], state_dtype=state_dtype, **own, **options)


def make_mindspore(
    param: Array, options: Mapping[str, Any], state_dtype: npt.DTypeLike | None = None
) -> MindSporeAdagrad:
    options = dict(options)
    group = {"params": [param], "grad_centralization": options.pop("centralize", False)}
    return MindSporeAdagrad([group], START, options.pop("rate"), state_dtype=state_dtype, **options)


@dataclass(frozen=True)
class SparseRule:
    """A rule; its options are those of the oracle."""

    make: Callable[..., Any]
    oracle: Callable[..., Oracle]
    defaults: Mapping[str, Any]
    draw_options: Callable[[np.random.Generator], dict[str, Any]]


RULES = {
    "torch": SparseRule(make_torch, TorchOracle, {"lr": 0.037}, draw_torch_options),
    "mindspore": SparseRule(make_mindspore, MindSporeOracle, {"rate": 0.037}, draw_mindspore_options),
}
