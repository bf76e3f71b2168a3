"""Rates that change from step to step, as callables that say what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..inputs.types import Array
from ..inputs.validation import number
from ..optimizers._mindspore_arguments import rate_at


@dataclass(frozen=True)
class DecayedRate:
    """torch's `lr_decay` as a callable of the number of steps taken: ``lr / (1 + step * lr_decay)``.

    Parameters
    ----------
    lr : float or callable
        The rate of the first step. A callable is called with the same number of steps.
    lr_decay : float

    Examples
    --------
    >>> from numpy_adagrad.migration.schedules import DecayedRate
    >>> rate = DecayedRate(lr=0.5, lr_decay=1.0)
    >>> rate(1), rate.first(3)
    (0.25, [0.5, 0.25, 0.16666666666666666])
    """

    lr: float | Callable[[int], Any]
    lr_decay: float

    def __call__(self, step: int) -> float:
        lr = number(self.lr(step), "lr") if callable(self.lr) else self.lr
        return lr / (1 + step * self.lr_decay)

    def first(self, steps: int) -> list[float]:
        """Return the rates of the first steps, as the list that ``mindspore.nn.Adagrad`` takes."""
        return [self(step) for step in range(steps)]


@dataclass(frozen=True, eq=False)
class ListedRate:
    """MindSpore's list of rates as a callable of the number of steps taken, which ends where the list does.

    Parameters
    ----------
    rates : array of float32
        As MindSpore rounds them.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.migration.schedules import ListedRate
    >>> ListedRate(np.array([0.5, 0.25], np.float32))(1)
    0.25
    """

    rates: Array

    def __call__(self, step: int) -> float:
        return rate_at(self.rates, step, shifts=False)
