"""Rates, decays and options of MindSporeAdagrad that change from step to step, beside the oracle."""

from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import DIALECTS
from helpers.errors import raises_unchanged
from helpers.oracle import mindspore_update
from helpers.schedules import FORMS, GRAD, RATES, recorder
from helpers.two_groups import gradients, start
from helpers.values import ones
from numpy_adagrad import MindSporeAdagrad
from numpy_adagrad.inputs.types import Number


@pytest.mark.parametrize("lr", FORMS, ids=repr)
def test_forms_of_a_rate(lr: Number) -> None:
    param, accum = ones(), np.full_like(GRAD, 0.1)
    optimizer = MindSporeAdagrad([ones()], learning_rate=lr)
    optimizer.step([GRAD])
    mindspore_update(param, accum, GRAD, rate=float(lr))
    assert_same_bits(optimizer.param_groups[0]["params"][0], param)


def test_options_of_a_group_may_change() -> None:
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


def test_schedules_are_called_with_the_global_step() -> None:
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
    message = "learning_rate: expected a rate for global_step 2, got a sequence of 2"
    for _ in range(2):
        raises_unchanged(optimizer, RuntimeError, message, lambda: optimizer.step([GRAD]))


DECAYS: dict[str, tuple[Any, str]] = {
    "text": ("0.1", "weight_decay: expected a number or a 1-element array, got str"),
    "none": (None, "weight_decay: expected a number or a 1-element array, got NoneType"),
    "array": (np.ones(2), "weight_decay: expected a number, got an array of shape (2,) and dtype float64"),
    "complex": (1j, "weight_decay: expected a number or a 1-element array, got complex"),
}


@pytest.mark.parametrize(("decay", "message"), DECAYS.values(), ids=DECAYS)
def test_decay_with_a_bad_result(decay: Any, message: str) -> None:
    optimizer = MindSporeAdagrad([ones(), ones()], weight_decay=lambda step: decay)
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([GRAD, GRAD]))


def test_failing_decay() -> None:
    def fail(step: int) -> float:
        raise LookupError("no decay today")

    optimizer, _ = start(DIALECTS["mindspore"])
    optimizer.param_groups[1]["weight_decay"] = fail
    raises_unchanged(optimizer, LookupError, "no decay today", lambda: optimizer.step(gradients()))
