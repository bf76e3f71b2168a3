"""One optimizer in its own process, driven by `dropin.py`."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import torch
from numpy_adagrad.torch import Adagrad
from processes import answer

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "torch": lambda params: torch.optim.Adagrad(params, foreach=False),
    "torch-foreach": lambda params: torch.optim.Adagrad(params, foreach=True),
    "torch-fused": lambda params: torch.optim.Adagrad(params, fused=True),
    "numpy_adagrad.torch": lambda params: Adagrad(params),
}
Steps = Iterator[tuple[float, float]]
"""The seconds of each step, and of the step with its gradients."""


def timed(optimizer: Any, backward: Callable[[int], object], *, keep_grads: bool = False) -> Steps:
    """Take a step after each backward pass, which makes new gradients."""
    for i in count():
        start = time.perf_counter()
        if not keep_grads:
            optimizer.zero_grad()
        backward(i)
        middle = time.perf_counter()
        optimizer.step()
        end = time.perf_counter()
        yield end - middle, end - start


def tensors(make: Callable[[Any], Any], number: int, size: int) -> Steps:
    params = [torch.randn(size, requires_grad=True) for _ in range(number)]

    def set_grads(_: int) -> None:
        for param in params:
            param.grad = torch.randn(size)

    return timed(make(params), set_grads)


def moving(make: Callable[[Any], Any], number: int, size: int) -> Steps:
    """The memory of one tensor is replaced in every step, as by ``param.data = ...``."""
    params = [torch.randn(size, requires_grad=True) for _ in range(number)]
    for param in params:
        param.grad = torch.randn(size)

    def move(_: int) -> None:
        params[0].data = params[0].data.clone()

    return timed(make(params), move, keep_grads=True)


def digits(make: Callable[[Any], Any]) -> Steps:
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)
    )
    x, labels = torch.randn(20, 128, 64), torch.randint(10, (20, 128))
    loss = torch.nn.CrossEntropyLoss()
    return timed(make(model.parameters()), lambda i: loss(model(x[i % 20]), labels[i % 20]).backward())


def embedding(make: Callable[[Any], Any], rows: int, width: int, batch: int) -> Steps:
    table = torch.nn.Embedding(rows, width, sparse=True)
    words = torch.randint(rows, (20, batch))
    return timed(make(table.parameters()), lambda i: table(words[i % 20]).square().sum().backward())


WORKLOADS: dict[str, Callable[[Any], Steps]] = {
    "2,000 tensors of 256": lambda make: tensors(make, 2000, 256),
    "one tensor of 1e6": lambda make: tensors(make, 1, 10**6),
    "digits MLP": digits,
    "one of 100 tensors moves": lambda make: moving(make, 100, 1000),
    "sparse embedding, 4,096 of 100,000 x 64": lambda make: embedding(make, 100_000, 64, 4096),
}
steps: Steps


def prepare(implementation: str, workload: str) -> dict[str, Any]:
    global steps
    torch.manual_seed(0)
    torch.sparse.check_sparse_tensor_invariants.disable()
    steps = WORKLOADS[workload](OPTIMIZERS[implementation])
    for _ in range(3):
        next(steps)
    return {}


def measure(number: int) -> dict[str, Any]:
    """Return the seconds of each of `number` steps, and of each with its backward pass."""
    taken, whole = zip(*(next(steps) for _ in range(number)), strict=True)
    return {"steps": taken, "whole": whole}


if __name__ == "__main__":
    answer({"prepare": prepare, "measure": measure})
