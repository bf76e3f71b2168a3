"""A program as its users write it: mypy --strict checks it against the types of the package, pytest runs its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import numpy_adagrad
import torch
from mindspore import Parameter, Tensor, nn
from numpy_adagrad import (
    MindSporeAdagrad,
    RowSparse,
    TorchAdagrad,
    from_mindspore,
    from_torch,
    functional,
    schedules,
    show_config,
    to_mindspore,
    to_torch,
    torch_grads,
    translate,
    translate_state,
)

Array = npt.NDArray[np.float32]


@dataclass
class Layer:
    W: Array
    b: Array


def halving(step: int) -> float:
    return 0.5**step


def allocate(param: npt.NDArray[Any], dtype: np.dtype[Any], value: complex) -> npt.NDArray[Any]:
    return np.full_like(param, value, dtype)


def fit(optimizer: TorchAdagrad | MindSporeAdagrad, grads: Callable[[], dict[str, Array]]) -> float | None:
    for _ in range(2):
        optimizer.step(grads(), grad_scale=2.0, max_norm=10.0, on_nonfinite="skip")
    return optimizer.grad_norm


def train_on_dense_gradients() -> None:
    weights: dict[str, Array] = {"W": np.ones((4, 3), np.float32), "b": np.ones(3, np.float32)}

    def grads() -> dict[str, Array]:
        return {name: np.sign(array) for name, array in weights.items()}

    warm: Callable[[int], float] = schedules.warmup(halving, total_iters=2, start_factor=0.5)
    first = TorchAdagrad(weights, lr=warm, weight_decay=0.01, state_dtype=np.float32, allocate=allocate)
    second = MindSporeAdagrad(list(weights.items()), 0.1, learning_rate=[0.5, 0.25], weight_decay=0.01)
    norms: list[float | None] = [fit(first, grads), fit(second, grads)]
    assert None not in norms
    first.load_state_dict(first.state_dict())
    second.load_state_dict(second.state_dict(parameters=True), parameters=True)
    first.add_param_group({"params": {"c": np.ones(2, np.float32)}, "lr": 0.1})
    rates: list[float] = first.last_lr
    tensor = torch.tensor(0.1)
    third = TorchAdagrad([np.ones(3)], lr=tensor, lr_decay=np.float32(0), eps=np.float32(1e-10))
    third.step([np.ones(3)], grad_scale=np.float32(2), max_norm=tensor)
    layer = Layer(np.ones((2, 2), np.float32), np.ones(2, np.float32))
    TorchAdagrad(layer).step(Layer(np.ones((2, 2), np.float32), np.ones(2, np.float32)))
    steps: int = first.steps
    assert (rates, steps, first.state["b"]["step"].item()) == ([0.75, 0.1], 2, 2)
    skipped: int = first.skipped_steps + second.skipped_steps
    assert (skipped, len(first.param_groups), second.global_step.tolist()) == (0, 2, [2])


def train_on_rows_from_a_closure() -> None:
    table = np.ones((5, 2), np.float32)
    optimizer = TorchAdagrad([table], sparse_weight_decay="touched")
    loss: float = optimizer.step(closure=lambda: (0.25, [RowSparse([0, 3], np.ones((2, 2), np.float32))]))
    assert loss == 0.25
    assert (table[[1, 2, 4]] == 1).all()


def call_functions() -> None:
    var, accum = np.ones(2, np.float32), np.zeros(2, np.float32)
    grad, count = np.ones(2, np.float32), np.zeros((), np.float32)
    functional.apply_adagrad(var, accum, 0.5, grad)
    functional.adagrad([var], [grad], [accum], [count], lr=0.5, weight_decay=0, lr_decay=0, eps=1e-10, maximize=False)
    assert count.item() == 1
    rows = RowSparse([0], np.ones(1, np.float32))
    rate, eps = np.float32(0.5), np.float64(1e-10)
    functional.adagrad([var], [rows], [accum], [count], lr=rate, weight_decay=0, lr_decay=0, eps=eps, maximize=False)
    config: dict[str, str | int] = show_config()
    assert config["numpy_adagrad"] == numpy_adagrad.__version__


def migrate_from_torch_to_mindspore_and_back(folder: Path) -> None:
    tensor = torch.ones(2, requires_grad=True)
    theirs = torch.optim.Adagrad([("w", tensor)], lr=0.5)
    (3 * tensor).sum().backward()
    ours: TorchAdagrad = from_torch(theirs)
    ours.step(torch_grads(theirs))
    to_torch(ours, theirs)

    arguments, notes = translate("torch", "mindspore", lr=0.5)
    kinds: list[str] = [note.kind for note in notes]
    w: Array = ours.param_groups[0]["params"][0].copy()
    other = MindSporeAdagrad({"w": w}, **arguments)
    other.load_state_dict(translate_state("torch", "mindspore", ours.state_dict()))
    optimizer = nn.Adagrad([Parameter(Tensor(np.zeros(2, np.float32)), name="w")], **arguments)
    to_mindspore(other, optimizer)
    other = from_mindspore(optimizer)
    other.save(folder / "run.safetensors", parameters=True)
    other.load(str(folder / "run.safetensors"), parameters=True)
    assert (kinds[0], other.global_step.tolist(), other.state[0]["accum"].tolist()) == ("exact", [1], [9, 9])
    assert optimizer.parameters[0].asnumpy().tolist() == tensor.tolist() == [0.5, 0.5]
