"""The schedules beside those of torch and of MindSpore, in float64 and without tolerance."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mindspore import nn
from numpy_adagrad import schedules
from torch.optim import lr_scheduler

STEPS = range(40)
LR = 0.37


def torch_optimizer(lr: float = LR) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.9)


CLOSED_FORMS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "constant": (schedules.constant, lr_scheduler.ConstantLR, {"factor": 1 / 3, "total_iters": 5}),
    "step": (schedules.step, lr_scheduler.StepLR, {"step_size": 7, "gamma": 0.3}),
    "step, defaults": (schedules.step, lr_scheduler.StepLR, {"step_size": 3}),
    "multistep": (schedules.multistep, lr_scheduler.MultiStepLR, {"milestones": [20, 3, 11, 11], "gamma": 0.7}),
    "exponential": (schedules.exponential, lr_scheduler.ExponentialLR, {"gamma": 0.93}),
    "polynomial": (schedules.polynomial, lr_scheduler.PolynomialLR, {"total_iters": 17, "power": 1.7}),
    "polynomial, defaults": (schedules.polynomial, lr_scheduler.PolynomialLR, {}),
    "cosine": (schedules.cosine, lr_scheduler.CosineAnnealingLR, {"T_max": 13, "eta_min": 0.011}),
}


@pytest.mark.parametrize(("ours", "theirs", "arguments"), CLOSED_FORMS.values(), ids=CLOSED_FORMS)
def test_closed_forms_of_torch(ours: Any, theirs: Any, arguments: dict[str, Any]) -> None:
    scheduler = theirs(torch_optimizer(), **arguments)
    rate = ours(LR, **arguments)
    expected = []
    for scheduler.last_epoch in STEPS:
        expected += scheduler._get_closed_form_lr()
    assert [rate(step) for step in STEPS] == expected
    assert len(set(expected)) > 1


ONE_CYCLES: list[dict[str, Any]] = [
    {},
    {"anneal_strategy": "linear", "pct_start": 0.41},
    {"three_phase": True, "div_factor": 7.0, "final_div_factor": 333.0},
    {"pct_start": 0.0},
]


@pytest.mark.parametrize("arguments", ONE_CYCLES, ids=repr)
def test_one_cycle_of_torch(arguments: dict[str, Any]) -> None:
    """Its schedule is a closed form itself, so that it may be stepped."""
    optimizer = torch_optimizer()
    scheduler = lr_scheduler.OneCycleLR(optimizer, LR, total_steps=len(STEPS), **arguments)
    expected = stepped(optimizer, scheduler.step, len(STEPS))
    rate = schedules.one_cycle(LR, len(STEPS), **arguments)
    assert [rate(step) for step in STEPS] == expected
    with pytest.raises(ValueError, match="step: expected one below total_steps, 40, got 40"):
        rate(len(STEPS))
    with pytest.raises(ValueError, match="step: expected a finite number of at least 0, got -1"):
        rate(-1)


def stepped(optimizer: torch.optim.Optimizer, step: Callable[[], None], count: int) -> list[float]:
    """The rates of torch's optimizer in `count` steps."""
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        step()
    return rates


def test_one_cycle_with_a_peak_at_the_first_step() -> None:
    """torch divides by zero here."""
    rate = schedules.one_cycle(0.5, total_steps=4, pct_start=0.25)
    assert rate(0) == 0.5 > rate(1) > rate(2) > rate(3) == 0.5 / 25.0 / 1e4


@pytest.mark.parametrize("start_factor", [1 / 3, 0.013, 1.0])
def test_warmup_is_linear_lr_of_torch(start_factor: float) -> None:
    linear = lr_scheduler.LinearLR(torch_optimizer(), start_factor, total_iters=11)
    expected = []
    for linear.last_epoch in range(11):
        expected += linear._get_closed_form_lr()
    after = schedules.cosine(LR, 13)
    rate = schedules.warmup(after, total_iters=11, start_factor=start_factor)
    assert [rate(step) for step in range(11)] == expected
    assert [rate(step) for step in range(11, 40)] == [after(step) for step in range(29)]


def test_warmup_ends_at_the_rates_of_its_schedule() -> None:
    """The formula of the rise would have other last bits."""
    after = schedules.cosine(LR, 13)
    rate = schedules.warmup(after, total_iters=11, start_factor=0)
    assert [rate(step) for step in range(11, 24)] == [after(step) for step in range(13)]
    assert schedules.warmup(0.1, 5, 0.013)(9) == 0.1


def test_warmup_changes_over_where_sequential_lr_does() -> None:
    """Factors of two, with which torch's products of rates are exact."""
    optimizer = torch_optimizer(0.5)
    parts = [lr_scheduler.LinearLR(optimizer, 0.25, total_iters=4), lr_scheduler.StepLR(optimizer, 3, 0.5)]
    scheduler = lr_scheduler.SequentialLR(optimizer, parts, milestones=[4])
    rate = schedules.warmup(schedules.step(0.5, 3, 0.5), 4, 0.25)
    expected = stepped(optimizer, scheduler.step, 20)
    assert [rate(step) for step in range(20)] == expected


PLATEAUS: list[dict[str, Any]] = [
    {}, {"cooldown": 2}, {"min_lr": 0.2}, {"eps": 0.1}, {"threshold": 0.3}, {"threshold": 0.0},
    {"eps": LR * 0.7 - LR * 0.7 * 0.7},  # what the second reduction takes away
]  # fmt: skip
METRICS = [5, 4, 4, 3.9999, 3.99, 3.99, 3.99, 4, 5, 6, 6, 1, 1, 1, 1, 1, 1, 0, -1, -1, -1, -1, -1, -1, float("nan"), 9]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("arguments", PLATEAUS, ids=repr)
def test_plateau_of_torch(mode: Any, threshold_mode: Any, arguments: dict[str, Any]) -> None:
    optimizer = torch_optimizer()
    common = {"factor": 0.7, "patience": 1, "mode": mode, "threshold_mode": threshold_mode, **arguments}
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **common)
    rate = schedules.ReduceOnPlateau(LR, **common)
    for metric in METRICS:
        scheduler.step(metric)
        rate.step(metric)
        assert rate(0) == rate.lr == optimizer.param_groups[0]["lr"]
    assert rate.lr < LR


def test_plateau_with_the_defaults_of_torch() -> None:
    optimizer = torch_optimizer()
    scheduler, rate = lr_scheduler.ReduceLROnPlateau(optimizer), schedules.ReduceOnPlateau(LR)
    for _ in range(100):
        scheduler.step(1.0)
        rate.step(1.0)
        assert rate.lr == optimizer.param_groups[0]["lr"]
    assert rate.lr < 1e-3


EPOCHS: dict[str, tuple[Any, list[float]]] = {
    "exponential": (schedules.exponential(LR, 0.93, 4), nn.exponential_decay_lr(LR, 0.93, 40, 3, 4)),
    "stairs": (schedules.step(LR, 4, 0.93), nn.exponential_decay_lr(LR, 0.93, 40, 3, 4, True)),
    "cosine": (schedules.cosine(LR, 7, 0.011, hold=True), nn.cosine_decay_lr(0.011, LR, 40, 3, 7)),
    "polynomial": (schedules.polynomial(LR, 7, 1.7, 0.011), nn.polynomial_decay_lr(LR, 0.011, 40, 3, 7, 1.7)),
    "warmup": (schedules.warmup(LR, 7, start_factor=0), nn.warmup_lr(LR, 40, 3, 7)),
}


@pytest.mark.parametrize(("rate", "expected"), EPOCHS.values(), ids=EPOCHS)
def test_lists_of_mindspore(rate: Any, expected: list[float]) -> None:
    """`nn.dynamic_lr` counts epochs, here of three steps."""
    by_step = schedules.per_epoch(rate, steps_per_epoch=3)
    assert [by_step(step) for step in STEPS] == expected
    assert len(set(expected)) > 3


@pytest.mark.parametrize("lr", [0.1, 0.3, LR, 1e-3])
def test_warmup_of_any_length_beside_mindspore(lr: float) -> None:
    for length in range(1, 30):
        rate = schedules.warmup(lr, length, start_factor=0)
        assert [rate(step) for step in STEPS] == nn.warmup_lr(lr, 40, 1, length)
