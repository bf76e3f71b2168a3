"""The one-cycle policy."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..inputs.validation import flag
from ._arguments import assign, choice, count, fraction, nonnegative
from ._base import Schedule


@dataclass(frozen=True)
class one_cycle(Schedule):
    """The rate rises to `max_lr` and then falls below its start, as ``OneCycleLR`` of torch.

    It begins at ``max_lr / div_factor``, reaches `max_lr` after the part `pct_start` of all steps, and ends at
    ``max_lr / div_factor / final_div_factor``, unless the steps end before its last phase.

    Parameters
    ----------
    max_lr : float
    total_steps : int
        More steps raise ValueError; torch takes one more, at a rate that may be negative.
    pct_start : float, default 0.3
    anneal_strategy : {'cos', 'linear'}
    div_factor, final_div_factor : float, default 25 and 1e4
    three_phase : bool, default False
        Fall to the first rate as fast as it has risen, and then to the last one.

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    References
    ----------
    Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates" (2017).

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.one_cycle(0.5, total_steps=10, anneal_strategy="linear")
    >>> [round(rate(t), 3) for t in range(10)]
    [0.02, 0.26, 0.5, 0.429, 0.357, 0.286, 0.214, 0.143, 0.071, 0.0]
    """

    max_lr: float
    total_steps: int
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False

    def __post_init__(self) -> None:
        assign(self, max_lr=nonnegative(self.max_lr, "max_lr"), total_steps=count(self.total_steps, "total_steps"))
        assign(self, pct_start=fraction(self.pct_start, "pct_start"), three_phase=flag(self.three_phase, "three_phase"))
        choice(self.anneal_strategy, "anneal_strategy", ("cos", "linear"))
        for name in ("div_factor", "final_div_factor"):
            assign(self, **{name: nonnegative(getattr(self, name), name)})
            if getattr(self, name) == 0:
                raise ValueError(f"{name}: expected a positive number, got 0")

    def _rate(self, step: int) -> float:
        if step >= self.total_steps:
            raise ValueError(f"step: expected one below total_steps, {self.total_steps}, got {step}")
        first = self.max_lr / self.div_factor
        last = first / self.final_div_factor
        peak = self.pct_start * self.total_steps - 1
        phases = [(peak, first, self.max_lr), (self.total_steps - 1, self.max_lr, last)]
        if self.three_phase:
            back = 2 * self.pct_start * self.total_steps - 2
            phases[1:] = [(back, self.max_lr, first), (self.total_steps - 1, first, last)]
        begin = 0.0
        for end, start_lr, end_lr in phases[:-1]:
            if step <= end:
                return self._between(start_lr, end_lr, step - begin, end - begin)
            begin = end
        end, start_lr, end_lr = phases[-1]
        return self._between(start_lr, end_lr, step - begin, end - begin)

    def _between(self, start: float, end: float, steps: float, length: float) -> float:
        part = steps / length if length else 1.0
        if self.anneal_strategy == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)
        return (end - start) * part + start
