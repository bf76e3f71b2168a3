"""Hypothesis strategies for whole trainings: arrays of every kind, gradients of every form, every option."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from helpers.check_step import plain
from helpers.layouts import laid_out, layouts, shapes
from helpers.values import KINDS, bfloat16, draw
from hypothesis import strategies as st
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad
from numpy_adagrad.inputs.types import Array

REALS: list[Any] = [np.float32, np.float32, np.float64, np.float16, bfloat16]
COMPLEX: list[Any] = [np.complex64, np.complex128]
LARGE = (270_000,)  # shared among threads
STEPS = 2


def scheduled(step: int) -> float:
    return 0.25 / (1 + step)


@dataclass
class Training:
    """What an optimizer is made of, and the gradients and options of its steps."""

    rule: str
    params: list[Array]  # as laid out in memory
    options: dict[str, Any]  # of the constructor
    rate: Any
    oracle_options: dict[str, Any]
    steps: list[tuple[list[Any], dict[str, Any]]] = field(default_factory=list)
    threads: int = 1

    def make(self) -> Any:
        if self.rule == "torch":
            return TorchAdagrad(self.params, self.rate, **self.options)
        group = {"params": self.params, "grad_centralization": self.oracle_options["centralize"]}
        return MindSporeAdagrad([group], learning_rate=self.rate, **self.options)


numbers = st.sampled_from([0.0, 1e-30, 0.013, 0.37, 1.0])
positive = st.sampled_from([1e-30, 0.013, 1.0, 1024.0])


@st.composite
def torch_options(choose: st.DrawFn) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Arguments of the constructor, rate, options of the oracle."""
    own = {
        "lr_decay": choose(numbers),
        "weight_decay": choose(numbers),
        "eps": choose(st.sampled_from([0, 1e-10, 0.1])),
    }
    own["maximize"] = choose(st.booleans())
    arguments = {**own, "initial_accumulator_value": choose(numbers), "sparse_weight_decay": "touched"}
    return arguments, choose(st.sampled_from([0.037, 0, 3, np.array([0.5]), scheduled])), own


@st.composite
def mindspore_options(choose: st.DrawFn) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    own = {"weight_decay": choose(numbers), "loss_scale": choose(positive), "update_slots": choose(st.booleans())}
    arguments = {**own, "accum": choose(numbers)}
    rate = choose(st.sampled_from([0.037, 0.0, 1, [0.5, 0.25], scheduled]))
    return arguments, rate, {**own, "centralize": choose(st.booleans())}


@st.composite
def trainings(choose: st.DrawFn) -> Training:
    rule = choose(st.sampled_from(["torch", "mindspore"]))
    arguments, rate, own = choose(torch_options() if rule == "torch" else mindspore_options())
    rng = np.random.default_rng(choose(st.integers(0, 2**32 - 1)))
    kind = choose(st.sampled_from(KINDS))
    forms = choose(st.lists(shapes, min_size=1, max_size=3))
    if choose(st.integers(0, 19)) == 0:
        forms.append(LARGE)
    dtypes = [choose(st.sampled_from(REALS + (COMPLEX if rule == "torch" else []))) for _ in forms]
    if choose(st.booleans()) and all(np.dtype(dtype).itemsize == 2 for dtype in dtypes):
        arguments["state_dtype"] = np.float32
    params = [
        laid_out(draw(rng, shape, dtype, kind), choose(layouts(len(shape))))
        for shape, dtype in zip(forms, dtypes, strict=True)
    ]
    case = Training(rule, params, arguments, rate, own, threads=choose(st.integers(1, 3)))
    for _ in range(STEPS):
        grads = [choose(gradients(param, rng, kind)) for param in params]
        case.steps.append((grads, choose(step_options)))
    return case


step_options = st.fixed_dictionaries(
    {},
    optional={
        "grad_scale": st.sampled_from([0.3, 1.0, 1024.0]),
        "max_norm": st.sampled_from([0.0, 1e-3, 0.7, 30.0, float("inf")]),
        "on_nonfinite": st.sampled_from(["propagate", "skip", "raise"]),
    },
)


@st.composite
def gradients(choose: st.DrawFn, param: Array, rng: np.random.Generator, kind: str) -> Any:
    """A gradient of this parameter, in one of the forms that a step takes."""
    form = choose(
        st.sampled_from(["array", "array", "laid out", "half", "broadcast", "read-only", "none", "rows", "rows"])
    )
    dtype = param.dtype
    if form == "none":
        return None
    if form in ("half", "rows") and dtype == np.float32 and choose(st.booleans()):
        dtype = np.dtype(choose(st.sampled_from([np.float16, bfloat16])))
    if form == "rows" and param.ndim and dtype.kind != "c":
        return choose(sparse_gradients(param, dtype, rng, kind))
    if form == "broadcast":
        return np.broadcast_to(draw(rng, (), dtype, kind), param.shape)
    grad = draw(rng, param.shape, dtype, kind)
    if form == "laid out":
        return laid_out(grad, choose(layouts(param.ndim)))
    if form == "read-only":
        grad.flags.writeable = False
    return grad[()] if not param.ndim and choose(st.booleans()) else grad


@st.composite
def sparse_gradients(choose: st.DrawFn, param: Array, dtype: Any, rng: np.random.Generator, kind: str) -> RowSparse:
    """Rows in any order, which may come often."""
    rows = len(param)
    most = min(choose(st.sampled_from([1, 3, 40, 400])), 40_000 // max(1, param.size // max(1, rows)))
    count = int(rng.integers(0, most + 1)) if rows else 0
    indices = rng.integers(0, max(1, rows if choose(st.booleans()) else min(rows, 4)), count)
    indices = indices.astype(choose(st.sampled_from([np.int32, np.int64])))
    values = draw(rng, (count, *param.shape[1:]), dtype, kind)
    return RowSparse(indices, laid_out(values, choose(layouts(values.ndim))))


def copied(grad: Any) -> Any:
    """A gradient that no step can reach."""
    if isinstance(grad, RowSparse):
        return RowSparse(grad.indices.copy(), plain(grad.values))
    return None if grad is None else plain(grad)
