"""Rates that change from step to step: numbers in several forms, and schedules that record their calls."""

from collections.abc import Callable

import numpy as np
from numpy_adagrad.inputs.types import Number

RATES = [0.3, 0.1, 0.037, 0.5]
GRAD = np.array([0.1, -0.7, 3.0], np.float32)
FORMS: list[Number] = [1, True, 0.3, np.float32(0.3), np.float64(0.3), np.int64(2), np.array(0.3), np.array(2)]


def recorder(result: Callable[[int], Number]) -> tuple[Callable[[int], Number], list[int]]:
    """A schedule, and the list of the steps that it is called with."""
    calls = []

    def schedule(step: int) -> Number:
        assert type(step) is int
        calls.append(step)
        return result(step)

    return schedule, calls
