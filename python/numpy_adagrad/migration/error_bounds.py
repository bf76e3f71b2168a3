"""Bounds on the difference between two rules: the figures that the notes of a translation state."""

from __future__ import annotations

import math

import numpy as np

from .spec import Eps, WeightDecay

NEAR = 0.01
"""The largest relative difference at which the notes call two updates near."""

HALF_UNIT = 2.0**-24
"""The largest relative change of a number that is rounded to float32."""


def update_ratio(source: Eps, target: Eps, accumulator: float) -> tuple[float, float]:
    """Bound an update of the target as a multiple of the source's.

    Gradient, rate and accumulator are the same for both, so that this is the ratio of the divisors. As a function of
    the root ``r``, ``(r + a) / sqrt(r**2 + b)`` rises until ``r = b / a`` and then falls towards 1; where both add at
    the same position, the ratio tends to 1 all the way.

    Parameters
    ----------
    source, target : Eps
        What each of them adds.
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
    """Return the ratio where it turns, if it does for a root of at least this value."""
    if source.position == target.position:
        return []
    beside, under = (source, target) if target.position == "under the root" else (target, source)
    if under.value == 0 or not root * beside.value < under.value:
        return []
    peak = math.hypot(1, beside.value / math.sqrt(under.value))
    return [peak if source is beside else 1 / peak]


def difference(source: Eps, target: Eps, accumulator: float) -> float:
    """Bound the difference of an update of the target from the source's, relative to the source's."""
    least, greatest = update_ratio(source, target, accumulator)
    return max(1 - least, greatest - 1)


def near_threshold(source: Eps, target: Eps) -> float:
    """Return the least power of ten such that, for accumulators of at least that, the difference is within `NEAR`."""
    powers = (10.0**exponent for exponent in range(-20, 300))
    return next((power for power in powers if difference(source, target, power) <= NEAR), math.inf)


def matching_eps(source: Eps, position: str, accumulator: float) -> float:
    """Return the eps at another position that gives the source's divisor where accumulators start, to three digits.

    Both are written so that nothing cancels.
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
    """Return the least power of two such that float32 numbers of at least that do not change when `value` is added.

    It is the first whose float32 neighbour above lies more than ``2 * value`` away.

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
    """Return an accumulator such that, for those of at least that, no eps changes a float32 divisor."""
    thresholds = [(absorption_threshold(eps.value), eps.position) for eps in both]
    return max(value if position == "under the root" else value**2 for value, position in thresholds)


def decay_bound(source: WeightDecay, target: WeightDecay) -> tuple[float, float]:
    """Bound the difference of two decayed float32 gradients `g` of a parameter `w`, both of kind L2.

    Returns
    -------
    tuple of float
        Factors of ``|w * weight_decay|`` and of ``|g|``, to be added.
    """
    if source.rounds_product == target.rounds_product:
        return 0.0, 0.0
    return HALF_UNIT, 2 * HALF_UNIT  # one of them rounds the product, both round the sum
