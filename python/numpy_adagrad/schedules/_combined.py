"""Schedules that are made from others."""

from __future__ import annotations

from dataclasses import dataclass

from ..inputs.types import Rate
from ..inputs.validation import check_callable, is_schedule, number
from ._arguments import assign, count, fraction, nonnegative
from ._base import Schedule


@dataclass(frozen=True)
class warmup(Schedule):
    """A linear rise to the first rate of `schedule` within `total_iters` steps, and then `schedule` from its beginning.

    The rate before is ``lr * (start_factor + (1 - start_factor) * t / total_iters)``, where `lr` is the number
    `schedule` or its first rate. This equals torch's ``SequentialLR`` of ``LinearLR`` and a scheduler whose first rate
    is its `lr`. With ``start_factor=0``, which torch does not allow, it is ``warmup_lr`` of MindSpore:
    ``lr * t / total_iters``, and after the rise of a number ``lr * total_iters / total_iters``, which may differ from
    `lr` in the last bit.

    Parameters
    ----------
    schedule : float or callable
        A rate of at least 0, or called with the number of steps after the warm-up.
    total_iters : int
        In steps, at least 1.
    start_factor : float, default 1/3
        From 0 to 1.

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.warmup(schedules.exponential(0.5, gamma=0.5), total_iters=2, start_factor=0.5)
    >>> [rate(t) for t in range(5)]
    [0.25, 0.375, 0.5, 0.25, 0.125]
    """

    schedule: Rate
    total_iters: int
    start_factor: float = 1 / 3

    def __post_init__(self) -> None:
        if not is_schedule(self.schedule, "schedule"):
            assign(self, schedule=nonnegative(self.schedule, "schedule"))
        assign(self, total_iters=count(self.total_iters, "total_iters"))
        assign(self, start_factor=fraction(self.start_factor, "start_factor"))

    def _rate(self, step: int) -> float:
        lr = _rate_of(self.schedule, max(step - self.total_iters, 0))
        if self.start_factor == 0 and not callable(self.schedule):
            step = min(step, self.total_iters)  # MindSpore computes lr * n / n after the rise, which may not be lr
        elif step >= self.total_iters:
            return lr
        if self.start_factor == 0:
            return lr * step / self.total_iters
        return lr * (self.start_factor + (1.0 - self.start_factor) * step / self.total_iters)


@dataclass(frozen=True)
class per_epoch(Schedule):
    """A schedule that counts epochs: ``schedule(t // steps_per_epoch)``.

    Parameters
    ----------
    schedule : callable
        Called with the number of epochs.
    steps_per_epoch : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.per_epoch(schedules.exponential(0.5, gamma=0.5), steps_per_epoch=2)
    >>> [rate(t) for t in range(5)]
    [0.5, 0.5, 0.25, 0.25, 0.125]
    """

    schedule: Rate
    steps_per_epoch: int

    def __post_init__(self) -> None:
        is_schedule(self.schedule, "schedule")
        check_callable("schedule", self.schedule)
        assign(self, steps_per_epoch=count(self.steps_per_epoch, "steps_per_epoch"))

    def _rate(self, step: int) -> float:
        return _rate_of(self.schedule, step // self.steps_per_epoch)


def _rate_of(schedule: Rate, step: int) -> float:
    return number(schedule(step) if callable(schedule) else schedule, "schedule")
