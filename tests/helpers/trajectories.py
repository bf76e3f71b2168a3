"""Runs of the real libraries, whose rate and decay may change from step to step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from helpers.mindspore_arrays import TableDecay, mindspore_step, parameter
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from mindspore import nn
from numpy_adagrad.inputs.types import Array

Each = Callable[[int], float]
Options = dict[str, Any]

STEPS = 12
SIZE = 512


class Trajectory(NamedTuple):
    """The parameter before and after each step, and the accumulator after it, with a row for each step."""

    before: Array
    after: Array
    accum: Array


def start() -> Array:
    rng = np.random.default_rng(1)
    signs: Array = rng.choice([-1, 1], SIZE)
    return (rng.uniform(0.5, 2, SIZE) * signs).astype(np.float32)


def gradients() -> Array:
    return np.random.default_rng(2).standard_normal((STEPS, SIZE)).astype(np.float32)


def constant(value: Any) -> Each:
    return value if callable(value) else lambda step: float(value)


def torch_trajectory(
    param: Array, grads: Array, options: Options, decay: Each | None = None, scale: float = 1
) -> Trajectory:
    """Run torch.optim.Adagrad; a rate or decay that changes is set in the group before each step."""
    each = {"lr": options["lr"]} if callable(options["lr"]) else {}
    each |= {"weight_decay": decay} if decay else {}
    tensor = to_torch(param)
    optimizer = torch.optim.Adagrad([tensor], fused=True, **{**options, "lr": constant(options["lr"])(0)})
    rows = []
    for step, grad in enumerate(grads):
        optimizer.param_groups[0].update({name: value(step) for name, value in each.items()})
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(float(scale)), torch.tensor(0.0)
        before = to_numpy(tensor)
        torch_step(optimizer, [tensor], [grad])
        rows.append((before, to_numpy(tensor), to_numpy(optimizer.state[tensor]["sum"])))
    return Trajectory(*map(np.array, zip(*rows, strict=True)))


def mindspore_trajectory(param: Array, grads: Array, options: Options, name: str = "w", grouped: bool = False) -> Array:
    """Run mindspore.nn.Adagrad, rates that change as a list; return the parameter after each step."""
    options = dict(options)
    if callable(options["learning_rate"]):
        options["learning_rate"] = [options["learning_rate"](step) for step in range(len(grads))]
    if callable(options.get("weight_decay")):
        decays = [options["weight_decay"](step) for step in range(len(grads))]
        options["weight_decay"] = TableDecay(np.array(decays, np.float32))
    own = parameter(name, param)
    optimizer = nn.Adagrad([{"params": [own]}] if grouped else [own], **options)
    rows = []
    for grad in grads:
        mindspore_step(optimizer, [grad])
        rows.append(own.asnumpy().copy())
    return np.array(rows)
