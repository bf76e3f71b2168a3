"""Rates, decays and options that change from step to step: values, arrays, sequences, callables."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.oracle import mindspore_update, torch_update
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array, Number

RATES = [0.3, 0.1, 0.037, 0.5]
GRAD = np.array([0.1, -0.7, 3.0], np.float32)


def ones() -> Array:
    return np.ones(3, np.float32)


FORMS = [1, True, 0.3, np.float32(0.3), np.float64(0.3), np.int64(2), np.array(0.3), np.array(2)]


@pytest.mark.parametrize("lr", [*FORMS, np.array([[1]]), np.array([0.3], np.float16)], ids=repr)
def test_forms_of_a_rate_for_torch(lr: Number) -> None:
    param, accum, counter = ones(), np.zeros_like(GRAD), np.zeros((), np.float32)
    optimizer = TorchAdagrad([ones()], lr=lr)
    optimizer.step([GRAD])
    torch_update(param, accum, counter, GRAD, lr=float(np.asarray(lr).item()))
    assert_same_bits(optimizer.param_groups[0]["params"][0], param)


@pytest.mark.parametrize("lr", FORMS, ids=repr)
def test_forms_of_a_rate_for_mindspore(lr: Number) -> None:
    param, accum = ones(), np.full_like(GRAD, 0.1)
    optimizer = MindSporeAdagrad([ones()], learning_rate=lr)
    optimizer.step([GRAD])
    mindspore_update(param, accum, GRAD, rate=float(lr))
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


def test_options_of_a_torch_group_may_change() -> None:
    param = ones()
    tensor = to_torch(param)
    ours, theirs = TorchAdagrad([param]), torch.optim.Adagrad([tensor], fused=True)
    for change in CHANGES:
        ours.param_groups[0].update(change)
        theirs.param_groups[0].update(change)
        ours.step([GRAD])
        torch_step(theirs, [tensor], [GRAD])
        assert_same_bits(param, to_numpy(tensor), f"{change}")


def test_options_of_a_mindspore_group_may_change() -> None:
    param, expected, accum = ones(), ones(), np.full_like(GRAD, 0.1)
    optimizer = MindSporeAdagrad([{"params": [param]}])
    now: dict[str, Any] = {"lr": 0.001, "weight_decay": 0.0}
    changes: list[dict[str, Any]] = [
        {"lr": 0.5},
        {"weight_decay": 0.1},
        {"lr": lambda step: 0.1 * step},
        {"lr": [0.1, 0.2, 0.3, 0.4]},
    ]
    for change in changes:
        optimizer.param_groups[0].update(change)
        now.update(change)
        step = int(optimizer.global_step[0])
        rate = now["lr"](step) if callable(now["lr"]) else np.ravel(now["lr"])[step if np.ndim(now["lr"]) else 0]
        optimizer.step([GRAD])
        mindspore_update(expected, accum, GRAD, rate=rate, weight_decay=now["weight_decay"])
        assert_same_bits(param, expected, f"{change}")


def recorder(result: Callable[[int], Number]) -> tuple[Callable[[int], Number], list[int]]:
    """A schedule and the list of what it was called with."""
    calls = []

    def schedule(step: int) -> Number:
        assert type(step) is int
        calls.append(step)
        return result(step)

    return schedule, calls


@pytest.mark.parametrize("wrap", [float, np.float32, lambda x: np.array([x])])
def test_torch_schedules_are_called_once_per_count_and_group(wrap: Callable[[float], Number]) -> None:
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


def test_mindspore_schedules_are_called_with_the_global_step() -> None:
    rate, calls = recorder(lambda step: np.float32(RATES[step]))
    decay, other_calls = recorder(lambda step: np.array([0.1 * step]))
    params = [ones(), ones()]
    optimizer = MindSporeAdagrad(params, learning_rate=rate, weight_decay=decay, loss_scale=3.7)
    expected, accum = ones(), np.full_like(GRAD, 0.1)
    for step in range(3):
        optimizer.step([GRAD, None])
        scaled = np.float32(np.float32(0.1 * step) * np.float32(3.7))
        low = np.float32(np.float32(1 / 3.7))
        decayed = (expected * scaled + GRAD).astype(np.float32)
        mindspore_update(expected, accum, decayed * low, rate=RATES[step])
        assert_same_bits(params[0], expected, f"step {step}")
        assert_same_bits(params[1], ones(), f"step {step}")
    assert calls == other_calls == [0, 1, 2]
    assert optimizer.global_step[0] == 3


@pytest.mark.parametrize("arguments", [{"lr": [0.1, 0.2]}, {"learning_rate": [0.1, 0.2]}], ids=["group", "shared"])
def test_past_the_end_of_the_rates(arguments: dict[str, Any]) -> None:
    groups = [{"params": [ones()], **arguments}] if "lr" in arguments else [ones()]
    optimizer = MindSporeAdagrad(groups, **({} if "lr" in arguments else arguments))
    for _ in range(2):
        optimizer.step([GRAD])
    before = contents(optimizer)
    for _ in range(2):
        with pytest.raises(RuntimeError) as caught:
            optimizer.step([GRAD])
        assert str(caught.value) == "learning_rate: expected a rate for global_step 2, got a sequence of 2"
        assert contents(optimizer) == before


BAD_RESULTS = [
    ("0.1", "expected a number or a 1-element array, got str"),
    (None, "expected a number or a 1-element array, got NoneType"),
    (np.ones(2), "expected a number, got an array of shape (2,) and dtype float64"),
    (1j, "expected a number or a 1-element array, got complex"),
]


@pytest.mark.parametrize(("result", "text"), BAD_RESULTS, ids=[text for _, text in BAD_RESULTS])
def test_bad_results_of_callables_change_nothing(result: Any, text: str) -> None:
    cases = [
        (TorchAdagrad([{"params": [ones()]}, {"params": [ones()], "lr": lambda step: result}]), "lr"),
        (MindSporeAdagrad([{"params": [ones()]}, {"params": [ones()], "lr": lambda step: result}]), "learning_rate"),
        (MindSporeAdagrad([ones(), ones()], weight_decay=lambda step: result), "weight_decay"),
    ]
    for optimizer, name in cases:
        before = contents(optimizer)
        with pytest.raises(TypeError) as caught:
            optimizer.step([GRAD, GRAD])
        assert str(caught.value) == f"{name}: {text}"
        assert contents(optimizer) == before
