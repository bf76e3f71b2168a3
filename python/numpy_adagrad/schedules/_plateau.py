"""A rate that falls when a metric stops improving."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..inputs.validation import number, read_entry
from ._arguments import choice, count, nonnegative

STATE = ("lr", "best", "num_bad_epochs", "cooldown_counter")


@dataclass(eq=False)
class ReduceOnPlateau:
    """The rate `lr`, which ``step`` multiplies by `factor` when a metric has stopped improving.

    It takes the decisions of ``ReduceLROnPlateau`` of torch, to the last bit.

    Parameters
    ----------
    lr : float
        The rate now.
    mode : {'min', 'max'}
        Whether the metric should fall or rise.
    factor : float, default 0.1
    patience : int, default 10
        The number of calls without an improvement that are accepted.
    threshold : float, default 1e-4
        The least improvement.
    threshold_mode : {'rel', 'abs'}
        Whether `threshold` is relative to the best metric.
    cooldown : int, default 0
        The number of calls after a reduction that do not count, improvement or not.
    min_lr : float, default 0
    eps : float, default 1e-8
        The rate stays as it is where a reduction would lower it by no more than this.

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad import TorchAdagrad, schedules
    >>> rate = schedules.ReduceOnPlateau(0.5, factor=0.5, patience=1)
    >>> opt = TorchAdagrad([np.zeros(3)], lr=rate)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     opt.step([np.ones(3)])
    ...     rate.step(loss)
    >>> rate.lr
    0.25
    """

    lr: float
    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float = 0.0
    eps: float = 1e-8
    best: float = field(init=False)
    num_bad_epochs: int = field(init=False, default=0)
    cooldown_counter: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        for name in ("lr", "factor", "threshold", "min_lr", "eps"):
            setattr(self, name, nonnegative(getattr(self, name), name))
        for name in ("patience", "cooldown"):
            setattr(self, name, count(getattr(self, name), name, 0))
        if self.factor >= 1:
            raise ValueError(f"factor: expected a number below 1, got {self.factor}")
        choice(self.mode, "mode", ("min", "max"))
        choice(self.threshold_mode, "threshold_mode", ("rel", "abs"))
        self.best = math.inf if self.mode == "min" else -math.inf

    def __call__(self, step: int) -> float:
        """Return the rate, which does not depend on the number of steps."""
        return self.lr

    def step(self, metric: Any) -> None:
        """Take a new value of the metric into account; usually called once an epoch.

        Parameters
        ----------
        metric : float
            A loss, for example. NaN counts as no improvement.

        Raises
        ------
        TypeError, ValueError
            For anything but a number.

        Examples
        --------
        See the class.
        """
        value = number(metric, "metric")
        if self._is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            reduced = max(self.lr * self.factor, self.min_lr)
            if self.lr - reduced > self.eps:
                self.lr = reduced
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _is_better(self, value: float) -> bool:
        if self.mode == "min":
            limit = self.best * (1.0 - self.threshold) if self.threshold_mode == "rel" else self.best - self.threshold
            return value < limit
        limit = self.best * (self.threshold + 1.0) if self.threshold_mode == "rel" else self.best + self.threshold
        return value > limit

    def state_dict(self) -> dict[str, float]:
        """Return the values that `step` changes, as numbers: the best metric is infinite before the first call.

        Returns
        -------
        dict of float

        Examples
        --------
        >>> from numpy_adagrad import schedules
        >>> rate = schedules.ReduceOnPlateau(0.5)
        >>> rate.step(3.0)
        >>> rate.state_dict()
        {'lr': 0.5, 'best': 3.0, 'num_bad_epochs': 0, 'cooldown_counter': 0}
        """
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state_dict: Mapping[str, float]) -> None:
        """Continue from a state dict.

        Parameters
        ----------
        state_dict : mapping

        Raises
        ------
        TypeError, ValueError, KeyError
            For an entry that is missing or wrong; nothing has changed then.

        Examples
        --------
        >>> from numpy_adagrad import schedules
        >>> rate, other = (schedules.ReduceOnPlateau(0.5) for _ in range(2))
        >>> rate.step(3.0)
        >>> other.load_state_dict(rate.state_dict())
        >>> other.best
        3.0
        """
        values: dict[str, float] = {name: read_entry(state_dict, name, "state_dict") for name in STATE}
        values["lr"] = nonnegative(values["lr"], "state_dict['lr']")
        values["best"] = number(values["best"], "state_dict['best']")
        for name in ("num_bad_epochs", "cooldown_counter"):
            values[name] = count(values[name], f"state_dict[{name!r}]", 0)
        self.__dict__.update(values)
