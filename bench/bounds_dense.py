"""The dense steps that `bounds_worker.py` times."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from bound_loops import DenseBound
from bounds import ARRAYS, BOUNDS, OURS
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array

Step = Callable[[], object]
LR, EPS = 0.01, 1e-10
PARALLEL = (False,) if os.environ["OMP_NUM_THREADS"] == "1" else (True, False)
"""A bound runs on one thread too: beside a busy process, all threads may wait for one."""


def numbers(rng: np.random.Generator, length: int) -> Array:
    """Return normally distributed numbers, which repeat after a while."""
    drawn: Array = np.resize(rng.standard_normal(min(length, 1_000_000), np.float32), length)
    return drawn


def dense_steps(implementation: str, library: str, length: int, skipped: int = 0) -> list[Step]:
    """Return a step on arrays as NumPy allocates them, or two of a bound; the gradient begins some elements later."""
    rng = np.random.default_rng(1)
    p, g = numbers(rng, length), numbers(rng, skipped + length)[skipped:]
    if implementation in BOUNDS:
        bounds = [DenseBound(library, implementation, [p], [g], p.dtype) for _ in PARALLEL]
        for bound, parallel in zip(bounds, PARALLEL, strict=True):
            bound.tune([parallel])
        return [bound.run for bound in bounds]
    return [step_of(optimizer_of(implementation, as_params(implementation, [p])), [g])]


def as_params(implementation: str, arrays: list[Array]) -> list[Any]:
    """Return the parameters that an implementation takes."""
    if implementation == OURS:
        return list(arrays)
    import torch

    return [torch.from_numpy(array) for array in arrays]


def optimizer_of(implementation: str, params: list[Any]) -> Any:
    if implementation == OURS:
        return TorchAdagrad(params, lr=LR, eps=EPS)
    import torch

    return torch.optim.Adagrad(params, lr=LR, eps=EPS, fused=True)


def step_of(optimizer: Any, grads: list[Array]) -> Step:
    """Return the step of an optimizer."""
    if isinstance(optimizer, TorchAdagrad):
        return partial(optimizer.step, grads)
    import torch

    for param, g in zip(optimizer.param_groups[0]["params"], grads, strict=True):
        param.grad = torch.from_numpy(g)
    step: Step = optimizer.step
    return step


class Start:
    """A new optimizer of many arrays: its construction, or its first step."""

    def __init__(self, implementation: str, arrays: int, start: str) -> None:
        rng = np.random.default_rng(1)
        params, self.grads = ([numbers(rng, ARRAYS[arrays]) for _ in range(arrays)] for _ in range(2))
        self.construct = partial(optimizer_of, implementation, as_params(implementation, params))
        self.first = start == "first step"
        self.step: Step = self.construct

    def before(self) -> None:
        if self.first:
            self.step = step_of(self.construct(), self.grads)
