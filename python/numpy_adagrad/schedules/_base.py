"""The base of schedules that follow a formula."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from ..inputs.validation import number


class Schedule(ABC):
    """A callable of the number of steps. Its class gives the formula."""

    def __call__(self, step: int) -> float:
        if type(step) is not int:  # NumPy would compute in the dtype of a scalar, and wrap or overflow silently
            step = int(step) if isinstance(step, np.integer) else number(step, "step")  # type: ignore[assignment]
        if not 0 <= step < math.inf:
            raise ValueError(f"step: expected a finite number of at least 0, got {step}")
        error = None
        try:
            rate = self._rate(step)
        except OverflowError as caught:  # of `**`, or of a callable; other operators return infinity
            rate, error = math.inf, caught
        if not math.isfinite(rate):
            name = type(self).__name__
            raise OverflowError(f"{name}: expected a rate within float64 for step {step}, got {rate}") from error
        return rate

    @abstractmethod
    def _rate(self, step: int) -> float:
        """Return the rate of a step."""
