"""Switch frameworks mid-training: torch to NumPy and back, MindSpore to NumPy and back, torch to MindSpore.

A network with two layers is fitted to a nonlinear function of eight numbers. In the first two runs, numpy-adagrad takes
the middle third of the steps, in the framework's own memory, and the final bits are those of the framework alone. The
third run starts in torch and ends in MindSpore, which has a different rule: the notes list the changes, and the
distance shows their effect. The exit status is 1 if a bit differs
in the first two runs.

    pip install . torch==2.13.0 mindspore==2.10.0
    python examples/switch_framework.py
"""

import sys
from typing import Any

import mindspore
import numpy as np
import numpy.typing as npt
import torch
from mindspore import nn
from numpy_adagrad import (
    MindSporeAdagrad,
    TorchAdagrad,
    from_mindspore,
    from_torch,
    to_mindspore,
    to_torch,
    torch_grads,
    translate,
    translate_state,
)

THIRD = 100  # steps
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

    def backward(self) -> tuple[float, Any]:
        self.optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(self.net(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        return float(loss.detach()), torch_grads(self.optimizer)

    def step(self, grads: Any) -> None:
        self.optimizer.step()  # torch's parameters have their gradients

    def arrays(self) -> list[npt.NDArray[np.float32]]:
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
        return float(loss.asnumpy()), [grad.asnumpy() for grad in grads]

    def step(self, grads: Any) -> None:
        self.optimizer(tuple(mindspore.Tensor(grad) for grad in grads))

    def arrays(self) -> list[npt.NDArray[np.float32]]:
        return [param.asnumpy() for param in self.optimizer.parameters]


Run = TorchRun | MindSporeRun


def train(run: Run, steps: int, ours: TorchAdagrad | MindSporeAdagrad | None = None) -> list[float]:
    """Return the loss before each step. `ours` takes the steps, if it is given, in the memory of the run."""
    step, losses = run.step if ours is None else ours.step, []
    for _ in range(steps):
        loss, grads = run.backward()
        step(grads)
        losses.append(loss)
    return losses


def continue_in_mindspore(first: TorchRun) -> MindSporeRun:
    """Create the MindSpore run that goes on where a torch run stopped, and print what cannot be the same."""
    arguments, notes = translate("torch", "mindspore", **OPTIONS)
    print(*(f"  {note.argument}, {note.kind}: {note.text}" for note in notes), sep="\n")
    arguments["learning_rate"] = arguments["learning_rate"].first(3 * THIRD)  # MindSpore takes a list, not a function
    second = MindSporeRun(**arguments)
    names, saved = [param.name for param in second.optimizer.parameters], first.optimizer.state_dict()
    state = translate_state("torch", "mindspore", saved, names=names, parameters=first.arrays(), tensors=True)
    mindspore.load_param_into_net(second.optimizer, state)
    return second


def report(name: str, losses: list[float]) -> None:
    print(f"{name}: loss {losses[0]:.4f}, {losses[THIRD]:.4f}, {losses[2 * THIRD]:.4f}, {losses[-1]:.4f}")


def compare(name: str, alone: Run, switched: Run, to_numpy: Any, to_framework: Any) -> None:
    """Train one run in the framework alone and the other with NumPy in the middle."""
    report(name, train(alone, 3 * THIRD))
    losses = train(switched, THIRD)
    ours = to_numpy(switched.optimizer)
    losses += train(switched, THIRD, ours)
    to_framework(ours, switched.optimizer)
    report(f"{name}, NumPy, {name}", losses + train(switched, THIRD))
    if any(a.tobytes() != b.tobytes() for a, b in zip(alone.arrays(), switched.arrays(), strict=True)):
        sys.exit("  the final parameters differ")
    print("  the final parameters have the same bits")


def main() -> None:
    torch.set_num_threads(1)
    mindspore.set_device("CPU")
    unswitched, first = TorchRun(), TorchRun()
    compare("torch", unswitched, TorchRun(), from_torch, to_torch)
    one, other = (MindSporeRun(learning_rate=0.1, weight_decay=1e-4, loss_scale=1.0) for _ in range(2))
    compare("MindSpore", one, other, from_mindspore, to_mindspore)
    losses = train(first, THIRD)
    second = continue_in_mindspore(first)
    report("torch, MindSpore", losses + train(second, 2 * THIRD))
    distance = max(float(abs(a - b).max()) for a, b in zip(second.arrays(), unswitched.arrays(), strict=True))
    print(f"  largest distance from torch alone: {distance:.2g}")


if __name__ == "__main__":
    main()
