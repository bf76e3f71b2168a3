"""Compare torch, MindSpore and numpy-adagrad: how many bits differ, and how runs diverge.

One small layer with two inputs and three outputs is fitted with the mean absolute error in torch, in MindSpore, and in
NumPy with both rules, from the same start and on the same data. The exit status is 1 if numpy-adagrad, given a
framework's gradients, differs from the framework in any bit.

    pip install ".[cli]" torch==2.13.0 mindspore==2.10.0
    python examples/two_frameworks.py
"""

import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import matplotlib.pyplot as plt
import mindspore
import numpy as np
import numpy.typing as npt
import torch
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

Floats = npt.NDArray[np.float32]
Arrays: TypeAlias = list[Floats]
Training: TypeAlias = Iterator[tuple[Arrays, Arrays]]
"""After each step: its gradients and the updated parameters."""

STEPS = 300
RATE = 0.1

rng = np.random.default_rng(0)
x = rng.standard_normal((64, 2)).astype(np.float32)
y = x @ np.array([[1, -2, 3], [-1, 2, 0.5]], np.float32) + rng.normal(0.5, 0.1, (64, 3)).astype(np.float32)
W0 = rng.uniform(-1, 1, (3, 2)).astype(np.float32)
b0 = np.zeros(3, np.float32)


def in_torch(**arguments: Any) -> Training:
    layer = torch.nn.Linear(2, 3)
    layer.load_state_dict({"weight": torch.tensor(W0), "bias": torch.tensor(b0)})
    optimizer = torch.optim.Adagrad(layer.parameters(), **arguments)
    params = list(layer.parameters())
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.nn.functional.l1_loss(layer(torch.tensor(x)), torch.tensor(y)).backward()
        optimizer.step()
        yield [p.grad.numpy().copy() for p in params], [p.detach().numpy().copy() for p in params]


def in_mindspore(**arguments: Any) -> Training:
    layer = nn.Dense(2, 3, weight_init=mindspore.Tensor(W0), bias_init=mindspore.Tensor(b0))
    optimizer = nn.Adagrad(layer.trainable_params(), **arguments)
    loss = nn.WithLossCell(layer, nn.MAELoss())
    backward = mindspore.jit(mindspore.value_and_grad(loss, None, optimizer.parameters))
    for _ in range(STEPS):
        _, grads = backward(mindspore.Tensor(x), mindspore.Tensor(y))
        optimizer(grads)
        yield [g.asnumpy().copy() for g in grads], [p.asnumpy().copy() for p in optimizer.parameters]


def in_numpy(
    rule: type[TorchAdagrad] | type[MindSporeAdagrad], given_grads: list[Arrays] | None = None, **arguments: Any
) -> Training:
    W, b = W0.copy(), b0.copy()
    optimizer = rule([W, b], **arguments)
    for step in range(STEPS):
        grads = own_grads(W, b) if given_grads is None else given_grads[step]
        optimizer.step(grads)
        yield grads, [W.copy(), b.copy()]


def own_grads(W: Floats, b: Floats) -> Arrays:
    error = x @ W.T + b - y
    d_error = np.sign(error) / np.float32(error.size)
    return [d_error.T @ x, d_error.sum(axis=0)]


class Trajectory(NamedTuple):
    """The gradients and parameters of a whole run."""

    grads: list[Arrays]
    params: Floats
    """All nine parameters, one row per step."""


def trajectory(training: Training) -> Trajectory:
    grads, params = zip(*training, strict=True)
    return Trajectory(list(grads), np.array([np.concatenate([p.ravel() for p in step]) for step in params]))


def differing_bits(one: Trajectory, other: Trajectory) -> int:
    patterns = one.params.view(np.uint32) ^ other.params.view(np.uint32)
    return int(np.unpackbits(patterns.view(np.uint8)).sum())


def main() -> bool:
    mindspore.set_device("CPU")
    torch_fused = trajectory(in_torch(lr=RATE, fused=True))
    torch_default = trajectory(in_torch(lr=RATE))
    mindspore_adagrad = trajectory(in_mindspore(learning_rate=RATE))
    torch_rule = partial(in_numpy, TorchAdagrad, lr=RATE)
    mindspore_rule = partial(in_numpy, MindSporeAdagrad, learning_rate=RATE)
    same_torch = trajectory(torch_rule(torch_fused.grads)), torch_fused
    same_mindspore = trajectory(mindspore_rule(mindspore_adagrad.grads)), mindspore_adagrad
    defaults = trajectory(in_numpy(TorchAdagrad)), trajectory(in_numpy(MindSporeAdagrad))
    pairs = {
        "the other rule, default arguments": defaults,
        "torch fused, gradients from NumPy": (trajectory(torch_rule()), torch_fused),
        "torch's for-loop, with its gradients": (trajectory(torch_rule(torch_default.grads)), torch_default),
        "MindSpore, gradients from NumPy": (trajectory(mindspore_rule()), mindspore_adagrad),
        "MindSpore, with its gradients": same_mindspore,
        "torch fused, with its gradients": same_torch,
    }
    for name, (one, other) in pairs.items():
        largest, bits = np.abs(one.params - other.params).max(), differing_bits(one, other)
        print(f"numpy-adagrad and {name:>36}: largest difference {largest:7.2g}, {bits:6,} bits differ")
    plot(pairs)
    print("plot saved to two_frameworks.png")
    return differing_bits(*same_torch) > 0 or differing_bits(*same_mindspore) > 0


def plot(pairs: dict[str, tuple[Trajectory, Trajectory]]) -> None:
    """Plot the largest difference at each step. A band below the log scale shows steps without any difference."""
    colors = "#57606a", "#ee4c2c", "#f5a524", "#8ec5ff", "#1f6feb", "#a3120a"
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    axes.axhspan(1e-10, 4e-9, color="#eef2f6", linewidth=0)
    lanes = np.geomspace(2.2e-9, 1.8e-10, len(pairs))
    for (name, (one, other)), color, lane in zip(pairs.items(), colors, lanes, strict=True):
        distances = np.abs(one.params - other.params).max(axis=1)
        steps = range(1, STEPS + 1)
        axes.plot(steps, np.where(distances == 0, lane, distances), ".", color=color, markersize=5, label=name)
    axes.set(yscale="log", xlim=(0, STEPS + 5), ylim=(1e-10, 1))
    labels = {6e-10: "exactly 0"} | {10.0**power: f"$10^{{{power}}}$" for power in range(-8, 1)}
    axes.set_yticks(list(labels), list(labels.values()))
    axes.yaxis.minorticks_off()
    axes.set_title("Largest difference in any parameter between numpy-adagrad and ...", loc="left")
    axes.set_xlabel("step")
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center", bbox_to_anchor=(0.6, 0.62), facecolor="white", edgecolor="white")
    figure.savefig("two_frameworks.png", dpi=110)


if __name__ == "__main__":
    sys.exit(main())
