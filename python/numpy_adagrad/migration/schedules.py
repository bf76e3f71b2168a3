"""Rates that change from step to step, as callables with a readable repr."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..inputs.types import Array
from ..inputs.validation import number


@dataclass(frozen=True)
class DecayedRate:
    """A rate that decays with the number of steps so far: ``lr / (1 + step * lr_decay)``.

    Parameters
    ----------
    lr : float or callable
        The rate of the first step. A callable takes the same number of steps.
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
        """Return the rates of the first steps as a list."""
        return [self(step) for step in range(steps)]


@dataclass(frozen=True, eq=False)
class ListedRate:
    """A list of rates as a callable of the number of steps so far, which ends where the list does.

    Parameters
    ----------
    rates : array of float32

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.migration.schedules import ListedRate
    >>> ListedRate(np.array([0.5, 0.25], np.float32))(1)
    0.25
    """

    rates: Array

    def __call__(self, step: int) -> float:
        if step >= len(self.rates):
            raise RuntimeError(f"rates: expected a rate for step {step}, got a list of {len(self.rates)}")
        return float(self.rates[step])
