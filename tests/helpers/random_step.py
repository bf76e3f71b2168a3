"""A step of any optimizer with random gradients, here or in another process, which imports this module."""

import os

import numpy as np
from helpers.values import draw
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer


def falling(step: int) -> float:
    return 0.5 / (1 + step)


def members(optimizer: Optimizer) -> list[Array]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def step(optimizer: Optimizer, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    params = members(optimizer)
    grads = [draw(rng, p.shape, p.dtype, "normal") for p in params]
    optimizer.step(dict(zip(optimizer.names, grads, strict=True)) if optimizer.names else grads)


def step_elsewhere(optimizer: Optimizer) -> tuple[Optimizer, int]:
    step(optimizer, 1)
    return optimizer, os.getpid()
