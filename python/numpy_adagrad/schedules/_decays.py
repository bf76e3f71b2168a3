"""Schedules that begin with the rate `lr` and lower it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from ..inputs.validation import flag
from ._arguments import assign, count, counts, fraction, nonnegative
from ._base import Schedule


@dataclass(frozen=True)
class constant(Schedule):
    """The rate ``lr``, times `factor` in the first `total_iters` steps, as ``ConstantLR`` of torch.

    By default, it never changes; the defaults of torch are ``factor=1/3, total_iters=5``.

    Parameters
    ----------
    lr : float
        At least 0, as in every schedule.
    factor : float, default 1
        From 0 to 1.
    total_iters : int, default 0
        In steps.

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.constant(0.5, factor=0.5, total_iters=2)
    >>> [rate(t) for t in range(4)]
    [0.25, 0.25, 0.5, 0.5]
    """

    lr: float
    factor: float = 1.0
    total_iters: int = 0

    def __post_init__(self) -> None:
        assign(self, lr=nonnegative(self.lr, "lr"), factor=fraction(self.factor, "factor"))
        assign(self, total_iters=count(self.total_iters, "total_iters", 0))

    def _rate(self, step: int) -> float:
        return self.lr if step >= self.total_iters else self.lr * self.factor


@dataclass(frozen=True)
class step(Schedule):
    """The rate ``lr * gamma ** (t // step_size)``, as ``StepLR`` of torch.

    Parameters
    ----------
    lr : float
    step_size : int
        The number of steps between two reductions.
    gamma : float, default 0.1
        At least 0.

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.step(0.5, step_size=2, gamma=0.5)
    >>> [rate(t) for t in range(5)]
    [0.5, 0.5, 0.25, 0.25, 0.125]
    """

    lr: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        assign(self, lr=nonnegative(self.lr, "lr"), gamma=nonnegative(self.gamma, "gamma"))
        assign(self, step_size=count(self.step_size, "step_size"))

    def _rate(self, step: int) -> float:
        return self.lr * _power(self.gamma, step // self.step_size)


@dataclass(frozen=True)
class multistep(Schedule):
    """The rate ``lr * gamma ** n`` after `n` of the `milestones`, as ``MultiStepLR`` of torch.

    Parameters
    ----------
    lr : float
    milestones : iterable of int
        The numbers of steps after which the rate falls, in any order. One that occurs twice counts twice.
    gamma : float, default 0.1
        At least 0.

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.multistep(0.5, milestones=[1, 3], gamma=0.5)
    >>> [rate(t) for t in range(5)]
    [0.5, 0.25, 0.25, 0.125, 0.125]
    """

    lr: float
    milestones: Iterable[int]
    gamma: float = 0.1

    def __post_init__(self) -> None:
        assign(self, lr=nonnegative(self.lr, "lr"), gamma=nonnegative(self.gamma, "gamma"))
        assign(self, milestones=tuple(sorted(counts(self.milestones, "milestones"))))

    def _rate(self, step: int) -> float:
        return self.lr * _power(self.gamma, bisect_right(tuple(self.milestones), step))


@dataclass(frozen=True)
class exponential(Schedule):
    """The rate ``lr * gamma ** (t / decay_steps)``: ``ExponentialLR`` of torch, ``exponential_decay_lr`` of MindSpore.

    Parameters
    ----------
    lr : float
    gamma : float
        At least 0.
    decay_steps : int, default 1
        The number of steps in which the rate falls by the factor `gamma`.

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.exponential(0.5, gamma=0.5)
    >>> [rate(t) for t in range(3)]
    [0.5, 0.25, 0.125]
    """

    lr: float
    gamma: float
    decay_steps: int = 1

    def __post_init__(self) -> None:
        assign(self, lr=nonnegative(self.lr, "lr"), gamma=nonnegative(self.gamma, "gamma"))
        assign(self, decay_steps=count(self.decay_steps, "decay_steps"))

    def _rate(self, step: int) -> float:
        return self.lr * _power(self.gamma, step / self.decay_steps)


@dataclass(frozen=True)
class polynomial(Schedule):
    """The rate ``(lr - eta_min) * (1 - min(t, total_iters) / total_iters) ** power + eta_min``.

    That is ``PolynomialLR`` of torch, whose end is always 0, and ``polynomial_decay_lr`` of MindSpore.

    Parameters
    ----------
    lr : float
    total_iters : int, default 5
        The number of steps after which the rate is `eta_min`.
    power : float, default 1
        At least 0.
    eta_min : float, default 0

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.polynomial(0.5, total_iters=2, power=2)
    >>> [rate(t) for t in range(4)]
    [0.5, 0.125, 0.0, 0.0]
    """

    lr: float
    total_iters: int = 5
    power: float = 1.0
    eta_min: float = 0.0

    def __post_init__(self) -> None:
        assign(self, lr=nonnegative(self.lr, "lr"), total_iters=count(self.total_iters, "total_iters"))
        assign(self, power=nonnegative(self.power, "power"), eta_min=nonnegative(self.eta_min, "eta_min"))

    def _rate(self, step: int) -> float:
        left = 1.0 - min(self.total_iters, step) / self.total_iters
        return (self.lr - self.eta_min) * _power(left, self.power) + self.eta_min


@dataclass(frozen=True)
class cosine(Schedule):
    """The rate ``eta_min + (lr - eta_min) * (1 + cos(pi * t / T_max)) / 2``, as ``CosineAnnealingLR`` of torch.

    After `T_max` steps, it rises again, as in torch. With ``hold=True`` it stays at `eta_min`, as MindSpore's
    ``cosine_decay_lr`` does.

    Parameters
    ----------
    lr : float
    T_max : int
        The number of steps from `lr` to `eta_min`.
    eta_min : float, default 0
    hold : bool, default False

    Raises
    ------
    TypeError, ValueError
        For an argument of another type or outside its range.

    Examples
    --------
    >>> from numpy_adagrad import schedules
    >>> rate = schedules.cosine(0.5, T_max=2, hold=True)
    >>> [rate(t) for t in range(4)]
    [0.5, 0.25, 0.0, 0.0]
    """

    lr: float
    T_max: int
    eta_min: float = 0.0
    hold: bool = False

    def __post_init__(self) -> None:
        assign(self, lr=nonnegative(self.lr, "lr"), eta_min=nonnegative(self.eta_min, "eta_min"))
        assign(self, T_max=count(self.T_max, "T_max"), hold=flag(self.hold, "hold"))

    def _rate(self, step: int) -> float:
        now = min(step, self.T_max) if self.hold else step
        return self.eta_min + (self.lr - self.eta_min) * (1 + math.cos(math.pi * now / self.T_max)) / 2


def _power(base: float, exponent: float) -> float:
    return float(base**exponent)  # `float ** float` may be complex to a type checker; the base is not negative
