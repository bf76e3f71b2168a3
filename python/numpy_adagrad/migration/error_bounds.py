"""Bounds on the difference between two rules: the figures that the notes of a translation state."""

from __future__ import annotations

import math

import numpy as np

from .spec import Eps, WeightDecay

NEAR = 0.01
"""The largest relative difference of two updates that the notes call near."""

HALF_UNIT = 2.0**-24
"""The largest relative error of a number that is rounded to float32."""


def update_ratio(source: Eps, target: Eps, accumulator: float) -> tuple[float, float]:
    """Return bounds of the ratio of the target's update to the source's.

    Gradient, rate and accumulator are the same for both, so this is the ratio of their divisors. As a function of the
    root ``r``, ``(r + a) / sqrt(r**2 + b)`` rises until ``r = b / a`` and then falls towards 1. If both constants have
    the same position, the ratio is monotonic and tends to 1.

    Parameters
    ----------
    source, target : Eps
        The constant of each.
    accumulator : float
        The least value of the accumulator: its start.

    Returns
    -------
    tuple of float
        The least and the greatest ratio for any accumulator of at least that value, 1 included.

    Examples
    --------
    >>> from numpy_adagrad.migration.error_bounds import update_ratio
    >>> from numpy_adagrad.migration.spec import Eps
    >>> least, greatest = update_ratio(Eps(1e-10, "to the root"), Eps(1e-8, "under the root"), 0.0)
    >>> round(least, 9), round(greatest, 9)
    (1e-06, 1.0)
    """
    if source == target or source.value == target.value == 0:
        return 1.0, 1.0
    divisor = target.divisor(accumulator)
    start = source.divisor(accumulator) / divisor if divisor else math.inf
    ratios = [1.0, start, *_peak(source, target, math.sqrt(accumulator))]
    return min(ratios), max(ratios)


def _peak(source: Eps, target: Eps, root: float) -> list[float]:
    """Return the extreme value of the ratio, if it has one for a root of at least this value."""
    if source.position == target.position:
        return []
    beside, under = (source, target) if target.position == "under the root" else (target, source)
    if under.value == 0 or not root * beside.value < under.value:
        return []
    peak = math.hypot(1, beside.value / math.sqrt(under.value))
    return [peak if source is beside else 1 / peak]


def difference(source: Eps, target: Eps, accumulator: float) -> float:
    """Return a bound of the difference between the two updates, relative to the source's."""
    least, greatest = update_ratio(source, target, accumulator)
    return max(1 - least, greatest - 1)


def near_threshold(source: Eps, target: Eps) -> float:
    """Return a power of ten: for accumulators of at least that value, the difference is within `NEAR`."""
    powers = (10.0**exponent for exponent in range(-20, 300))
    return next((power for power in powers if difference(source, target, power) <= NEAR), math.inf)


def matching_eps(source: Eps, position: str, accumulator: float) -> float:
    """Return the eps for a position that gives the source's divisor where accumulators start, to three digits.

    Both formulas are written without cancellation.
    """
    root = math.sqrt(accumulator)
    if source.position == position or source.value == 0:
        return source.value
    if position == "to the root":
        exact = source.value / (source.divisor(accumulator) + root)
    else:
        exact = source.value * (2 * root + source.value)
    return float(f"{exact:.3g}")


def absorption_threshold(value: float) -> float:
    """Return the least power of two to which float32 can add `value` without effect.

    Its distance to the next float32 number is more than ``2 * value``. Greater numbers absorb `value` as well.

    Examples
    --------
    >>> from numpy_adagrad.migration.error_bounds import absorption_threshold
    >>> absorption_threshold(1e-8)
    0.25
    """
    with np.errstate(all="ignore"):
        single = float(np.float32(value))
    if single in (0, math.inf):
        return single
    _, exponent = math.frexp(single)
    return math.ldexp(1.0, exponent + 24)


def equality_threshold(*both: Eps) -> float:
    """Return a bound: for accumulators of at least that value, no eps changes a float32 divisor."""
    thresholds = [(absorption_threshold(eps.value), eps.position) for eps in both]
    return max(value if position == "under the root" else value**2 for value, position in thresholds)


def decay_bound(source: WeightDecay, target: WeightDecay) -> tuple[float, float]:
    """Bound the difference between two decayed float32 gradients `g` of a parameter `w`, both of kind L2.

    Returns
    -------
    tuple of float
        Factors of ``|w * weight_decay|`` and of ``|g|``, to be added.
    """
    if source.rounds_product == target.rounds_product:
        return 0.0, 0.0
    return HALF_UNIT, 2 * HALF_UNIT  # one of them rounds the product, both round the sum
