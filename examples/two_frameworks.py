"""The Adagrad of two frameworks beside ours: how many bits differ, and how far they run apart.

One small layer, two inputs and three outputs, is fitted with mean absolute error: in torch, in MindSpore, and in
NumPy with both rules, all from the same start on the same data. The exit status is 1 if a bit differs where none may.

    pip install "numpy-adagrad[cli]" torch==2.13.0 mindspore==2.10.0
    python two_frameworks.py
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import mindspore
import numpy as np
import torch
from matplotlib.figure import Figure
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

Arrays: TypeAlias = list[np.ndarray]
Training: TypeAlias = Iterator[tuple[Arrays, Arrays]]
"""Every step yields its gradients and the parameters that it led to."""

STEPS = 300
RATE = 0.1

rng = np.random.default_rng(0)
x = rng.standard_normal((64, 2)).astype(np.float32)
y = x @ np.array([[1, -2, 3], [-1, 2, 0.5]], np.float32) + rng.normal(0.5, 0.1, (64, 3)).astype(np.float32)
W0 = rng.uniform(-1, 1, (3, 2)).astype(np.float32)
b0 = np.zeros(3, np.float32)


# One training each.


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


def own_grads(W: np.ndarray, b: np.ndarray) -> Arrays:
    error = x @ W.T + b - y
    d_error = np.sign(error) / np.float32(error.size)
    return [d_error.T @ x, d_error.sum(axis=0)]


class Course(NamedTuple):
    """A whole training."""

    grads: list[Arrays]
    params: np.ndarray
    """All nine parameters, a row for each step."""


def course(training: Training) -> Course:
    grads, params = zip(*training, strict=True)
    return Course(list(grads), np.array([np.concatenate([p.ravel() for p in step]) for step in params]))


def differing_bits(one: Course, other: Course) -> int:
    patterns = one.params.view(np.uint32) ^ other.params.view(np.uint32)
    return int(np.unpackbits(patterns.view(np.uint8)).sum())


def drift(one: Course, other: Course) -> str:
    difference = np.abs(one.params - other.params)
    worst = np.unravel_index(difference.argmax(), difference.shape)
    ulp = difference[worst] / np.spacing(np.abs(other.params[worst]))
    return f"{difference[worst]:.2g} = {ulp:.0f} ulp"


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="two_frameworks.png", help="the picture (default: %(default)s)")
    out = parser.parse_args().out
    mindspore.set_device("CPU")

    torch_fused = course(in_torch(lr=RATE, fused=True))
    torch_default = course(in_torch(lr=RATE))
    mindspore_adagrad = course(in_mindspore(learning_rate=RATE))
    torch_rule = partial(in_numpy, TorchAdagrad, lr=RATE)
    mindspore_rule = partial(in_numpy, MindSporeAdagrad, learning_rate=RATE)

    same_torch = course(torch_rule(torch_fused.grads)), torch_fused
    same_mindspore = course(mindspore_rule(mindspore_adagrad.grads)), mindspore_adagrad
    own_torch = course(torch_rule()), torch_fused
    own_mindspore = course(mindspore_rule()), mindspore_adagrad
    default_path = course(torch_rule(torch_default.grads)), torch_default
    defaults = course(in_numpy(TorchAdagrad)), course(in_numpy(MindSporeAdagrad))

    bits = differing_bits(*same_torch), differing_bits(*same_mindspore)
    apart = np.abs(defaults[0].params - defaults[1].params).max()
    print(f"differing bits, given their gradients: {bits[0]} (torch fused), {bits[1]} (MindSpore)")
    print(f"drift, gradients from NumPy: {drift(*own_torch)} (torch fused), {drift(*own_mindspore)} (MindSpore)")
    print(f"drift from torch's default path, the for-loop, given its gradients: {drift(*default_path)}")
    print(f"the two rules with their default arguments: {apart:.2g} apart in {STEPS} steps")
    draw(
        {
            "between the two rules, default arguments": defaults,
            "from torch fused, gradients from NumPy": own_torch,
            "from torch for-loop, given its gradients": default_path,
            "from MindSpore, gradients from NumPy": own_mindspore,
            "from MindSpore, given its gradients": same_mindspore,
            "from torch fused, given its gradients": same_torch,
        },
        out,
    )
    return any(bits)


def draw(pairs: dict[str, tuple[Course, Course]], out: str) -> None:
    """Draw the largest difference at every step. An exact 0 has no logarithm: such steps lie in a band below."""
    colors = "#57606a", "#ee4c2c", "#f5a524", "#8ec5ff", "#1f6feb", "#a3120a"
    figure = Figure(figsize=(9, 5), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.axhspan(1e-10, 4e-9, color="#eef2f6", linewidth=0)
    lanes = np.geomspace(2.2e-9, 1.8e-10, len(pairs))
    for (name, (one, other)), color, lane in zip(pairs.items(), colors, lanes, strict=True):
        apart = np.abs(one.params - other.params).max(axis=1)
        steps = range(1, STEPS + 1)
        axes.plot(steps, np.where(apart == 0, lane, apart), ".", color=color, markersize=5, label=name)
    axes.set(yscale="log", xlim=(0, STEPS + 5), ylim=(1e-10, 1))
    labels = {6e-10: "exactly 0"} | {10.0**power: f"$10^{{{power}}}$" for power in range(-8, 1)}
    axes.set_yticks(list(labels), list(labels.values()))
    axes.yaxis.minorticks_off()
    axes.set_title("Largest difference of a parameter, at each step", loc="left")
    axes.set_xlabel("step")
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center", bbox_to_anchor=(0.6, 0.62), facecolor="white", edgecolor="white")
    figure.savefig(out)


if __name__ == "__main__":
    sys.exit(main())
