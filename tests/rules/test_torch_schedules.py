"""Rates and options of TorchAdagrad that change from step to step, beside torch and the oracle."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.oracle import torch_update
from helpers.schedules import FORMS, GRAD, RATES, recorder
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from helpers.values import ones
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Number


@pytest.mark.parametrize("lr", [*FORMS, np.array([[1]]), np.array([0.3], np.float16)], ids=repr)
def test_forms_of_a_rate(lr: Number) -> None:
    param, accum, counter = ones(), np.zeros_like(GRAD), np.zeros((), np.float32)
    optimizer = TorchAdagrad([ones()], lr=lr)
    optimizer.step([GRAD])
    torch_update(param, accum, counter, GRAD, lr=float(np.asarray(lr).item()))
    assert_same_bits(optimizer.param_groups[0]["params"][0], param)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_rate_in_an_array_is_read_at_each_step(shape: tuple[int, ...]) -> None:
    rate, theirs = np.full(shape, 0.3), torch.full(shape, 0.3, dtype=torch.float64)
    param = ones()
    tensor = to_torch(param)
    ours, reference = TorchAdagrad([param], lr=rate), torch.optim.Adagrad([tensor], lr=theirs, fused=True)
    for value in RATES:
        rate[...] = value
        theirs.fill_(value)
        ours.step([GRAD])
        torch_step(reference, [tensor], [GRAD])
        assert_same_bits(param, to_numpy(tensor), f"{value}")


CHANGES: list[dict[str, Any]] = [
    {"lr": 0.5},
    {"lr_decay": 0.3},
    {"weight_decay": 0.1},
    {"eps": 1e-3},
    {"maximize": True},
    {"lr": -0.1},
]


def test_options_of_a_group_may_change() -> None:
    param = ones()
    tensor = to_torch(param)
    ours, theirs = TorchAdagrad([param]), torch.optim.Adagrad([tensor], fused=True)
    for change in CHANGES:
        ours.param_groups[0].update(change)
        theirs.param_groups[0].update(change)
        ours.step([GRAD])
        torch_step(theirs, [tensor], [GRAD])
        assert_same_bits(param, to_numpy(tensor), f"{change}")


@pytest.mark.parametrize("wrap", [float, np.float32, lambda x: np.array([x])])
def test_schedules_are_called_once_per_count_and_group(wrap: Callable[[float], Number]) -> None:
    """Three parameters of the first group: two that step at once, one that misses a step."""
    first, calls = recorder(lambda step: wrap(RATES[step]))
    second, other_calls = recorder(lambda step: wrap(0.7))
    params = [ones() for _ in range(4)]
    optimizer = TorchAdagrad([{"params": params[:3], "lr": first}, {"params": params[3:], "lr": second}], lr_decay=0.1)
    reference = [(ones(), np.zeros_like(GRAD), np.zeros((), np.float32)) for _ in params]
    for step in range(3):
        grads = [GRAD, GRAD, None if step == 1 else GRAD, None if step == 0 else GRAD]
        optimizer.step(grads)
        for i, (triple, grad) in enumerate(zip(reference, grads, strict=True)):
            if grad is not None:
                rate = np.asarray(wrap(RATES[int(triple[2])] if i < 3 else 0.7)).item()
                torch_update(*triple, grad, lr=rate, lr_decay=0.1)
            assert_same_bits(params[i], triple[0], f"parameter {i}, step {step}")
    assert calls == [0, 1, 2, 1]
    assert other_calls == [0, 1]
