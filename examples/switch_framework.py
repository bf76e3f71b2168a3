"""Switch frameworks mid-training: torch to NumPy and back, MindSpore to NumPy and back, torch to MindSpore.

A network with two layers is fitted to a nonlinear function of eight numbers. In the first two runs, numpy-adagrad takes
the middle third of the steps, in the framework's own memory, and the final bits are those of the framework alone. The
third run starts in torch and ends in MindSpore, which has a different rule: the notes list the changes, and the
distance shows their effect. The exit status is 1 if a bit differs in the first two runs.

    pip install "numpy-adagrad" torch==2.13.0 mindspore==2.10.0
    python switch_framework.py
"""

import sys
from textwrap import fill
from typing import Any

import mindspore
import numpy as np
import numpy.typing as npt
import torch
from mindspore import nn
from numpy_adagrad import from_mindspore, from_torch, to_mindspore, to_torch, torch_grads, translate, translate_state

Array = npt.NDArray[np.float32]

STEPS = 300
THIRD = STEPS // 3
OPTIONS = {"lr": 0.1, "lr_decay": 1e-3, "initial_accumulator_value": 0.1}

rng = np.random.default_rng(0)
x = rng.standard_normal((256, 8)).astype(np.float32)
y = np.sin(x[:, :3]) * x[:, 3:6]
W1 = rng.normal(0, 0.5, (32, 8)).astype(np.float32)
W2 = rng.normal(0, 0.2, (3, 32)).astype(np.float32)


class TorchRun:
    """The network and its optimizer in torch."""

    def __init__(self) -> None:
        self.net = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Tanh(), torch.nn.Linear(32, 3))
        values = {"0.weight": W1, "0.bias": np.zeros(32), "2.weight": W2, "2.bias": np.zeros(3)}
        self.net.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
        self.optimizer = torch.optim.Adagrad(self.net.parameters(), fused=True, **OPTIONS)

    def backward(self) -> float:
        self.optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(self.net(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        return float(loss.detach())

    def arrays(self) -> list[Array]:
        return [param.detach().numpy() for param in self.net.parameters()]


class MindSporeRun:
    """The network and its optimizer in MindSpore."""

    def __init__(self, **arguments: Any) -> None:
        first = nn.Dense(8, 32, weight_init=mindspore.Tensor(W1), bias_init="zeros")
        second = nn.Dense(32, 3, weight_init=mindspore.Tensor(W2), bias_init="zeros")
        self.net = nn.SequentialCell(first, nn.Tanh(), second)
        self.optimizer = nn.Adagrad(self.net.trainable_params(), **arguments)
        loss = nn.WithLossCell(self.net, nn.MSELoss())
        self.value_and_grad = mindspore.jit(mindspore.value_and_grad(loss, None, self.optimizer.parameters))

    def backward(self) -> tuple[float, Any]:
        loss, grads = self.value_and_grad(mindspore.Tensor(x), mindspore.Tensor(y))
        return float(loss.asnumpy()), grads

    def arrays(self) -> list[Array]:
        return [param.asnumpy() for param in self.optimizer.parameters]


def in_torch(numpy_steps: range = range(0)) -> tuple[TorchRun, list[float]]:
    """Train in torch, but take `numpy_steps` in NumPy."""
    run, losses = TorchRun(), []
    for step in range(STEPS):
        if step == numpy_steps.start < numpy_steps.stop:
            ours = from_torch(run.optimizer)
        losses.append(run.backward())
        if step in numpy_steps:
            ours.step(torch_grads(run.optimizer))
        else:
            run.optimizer.step()
        if step == numpy_steps.stop - 1:
            to_torch(ours, run.optimizer)
    return run, losses


def in_mindspore(numpy_steps: range = range(0)) -> tuple[MindSporeRun, list[float]]:
    """Train in MindSpore, but take `numpy_steps` in NumPy."""
    run, losses = MindSporeRun(learning_rate=0.1, weight_decay=1e-4, loss_scale=1.0), []
    for step in range(STEPS):
        if step == numpy_steps.start < numpy_steps.stop:
            ours = from_mindspore(run.optimizer)
        loss, grads = run.backward()
        losses.append(loss)
        if step in numpy_steps:
            ours.step([grad.asnumpy() for grad in grads])
        else:
            run.optimizer(grads)
        if step == numpy_steps.stop - 1:
            to_mindspore(ours, run.optimizer)
    return run, losses


def in_torch_then_mindspore() -> tuple[MindSporeRun, list[float]]:
    """Train in torch for a third of the steps and in MindSpore for the rest."""
    first, losses = TorchRun(), []
    for _ in range(THIRD):
        losses.append(first.backward())
        first.optimizer.step()

    arguments, notes = translate("torch", "mindspore", **OPTIONS)
    for note in notes:
        print(
            fill(f"{note.argument}, {note.kind}: {note.text}", 100, initial_indent="    ", subsequent_indent="      ")
        )
    arguments["learning_rate"] = arguments["learning_rate"].first(STEPS)
    second = MindSporeRun(**arguments)
    names = [param.name for param in second.optimizer.parameters]
    saved = first.optimizer.state_dict()
    state = translate_state("torch", "mindspore", saved, names=names, parameters=first.arrays(), tensors=True)
    mindspore.load_param_into_net(second.optimizer, state)
    for _ in range(STEPS - THIRD):
        loss, grads = second.backward()
        losses.append(loss)
        second.optimizer(grads)
    return second, losses


def differing_bits(one: TorchRun | MindSporeRun, other: TorchRun | MindSporeRun) -> int:
    patterns = (a.view(np.uint32) ^ b.view(np.uint32) for a, b in zip(one.arrays(), other.arrays(), strict=True))
    return sum(int(np.unpackbits(pattern.view(np.uint8)).sum()) for pattern in patterns)


def report(name: str, losses: list[float]) -> None:
    print(f"{name}: loss {losses[0]:.4f}, {losses[THIRD]:.4f}, {losses[2 * THIRD]:.4f}, {losses[-1]:.4f}")


def main() -> int:
    torch.set_num_threads(1)
    mindspore.set_device("CPU")
    middle, bits = range(THIRD, 2 * THIRD), []
    for name, train in (("torch", in_torch), ("MindSpore", in_mindspore)):
        alone, losses = train()
        report(name, losses)
        switched, losses = train(middle)
        report(f"{name}, NumPy, {name}", losses)
        bits.append(differing_bits(switched, alone))
        print(f"    differing bits: {bits[-1]}")

    unswitched, _ = in_torch()
    switched_to_mindspore, losses = in_torch_then_mindspore()
    report("torch, MindSpore", losses)
    pairs = zip(switched_to_mindspore.arrays(), unswitched.arrays(), strict=True)
    distance = max(float(abs(a - b).max()) for a, b in pairs)
    print(f"    largest distance from torch alone: {distance:.2g}")
    return int(any(bits))


if __name__ == "__main__":
    sys.exit(main())
