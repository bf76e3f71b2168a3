"""By how much the two rules differ: the figures that the notes of a translation state."""

from __future__ import annotations

import math

import numpy as np

HIDDEN_EPS = 1e-8
"""What MindSpore's operator ApplyAdagrad adds under the root."""

NEAR = 0.01
"""The relative difference of a move from which on the notes call two rules near."""

HALF_UNIT = 2.0**-24
"""How much a float32 rounding changes a number, at most, relative to it."""


def move_ratio(eps: float, accumulator: float) -> tuple[float, float]:
    """Tell between what one move of MindSpore's rule lies, as a multiple of torch's.

    Gradient, rate and accumulator `s` are the same for both, so this is ``(sqrt(s) + eps) / sqrt(s + 1e-8)``. As a
    function of the root it rises up to where the root is ``1e-8 / eps``, and then falls towards 1.

    Parameters
    ----------
    eps : float
        What torch adds to the root.
    accumulator : float
        The least that the accumulator can be: where it started.

    Returns
    -------
    tuple of float
        The least and the greatest ratio for any accumulator from there on, 1 included.

    Examples
    --------
    >>> from numpy_adagrad.migration.error_bounds import move_ratio
    >>> least, most = move_ratio(1e-10, 0.0)
    >>> round(least, 9), round(most, 9)
    (1e-06, 1.0)
    """
    root = math.sqrt(accumulator)
    start = (root + eps) / math.sqrt(accumulator + HIDDEN_EPS)
    rises = root * eps < HIDDEN_EPS
    top = math.hypot(1, eps / math.sqrt(HIDDEN_EPS)) if rises else start
    return min(start, 1.0), max(top, 1.0)


def difference(eps: float, accumulator: float) -> float:
    """Tell by how much a move of MindSpore's rule differs from torch's at most, relative to torch's."""
    least, most = move_ratio(eps, accumulator)
    return max(1 - least, most - 1)


def near_from(eps: float) -> float:
    """Return the power of ten from which on an accumulator makes the difference `NEAR` at most."""
    powers = (10.0**exponent for exponent in range(-20, 300))
    return next((power for power in powers if difference(eps, power) <= NEAR), math.inf)


def matching_eps(accumulator: float) -> float:
    """Return the `eps` that makes torch's move MindSpore's where accumulators start, to three digits.

    It is ``sqrt(s + 1e-8) - sqrt(s)``, written so that nothing cancels.
    """
    exact = HIDDEN_EPS / (math.sqrt(accumulator + HIDDEN_EPS) + math.sqrt(accumulator))
    return float(f"{exact:.3g}")


def unseen_from(eps: float) -> float:
    """Return the power of two from which a float32 number is the same after `eps` was added to it.

    It is the first whose float32 neighbour above lies more than ``2 * eps`` away.

    Examples
    --------
    >>> from numpy_adagrad.migration.error_bounds import unseen_from
    >>> unseen_from(1e-8)
    0.25
    """
    with np.errstate(all="ignore"):
        single = float(np.float32(eps))
    if single in (0, math.inf):
        return single
    _, exponent = math.frexp(single)
    return math.ldexp(1.0, exponent + 24)


def equal_from(eps: float) -> float:
    """Return an accumulator from which neither epsilon changes a float32 root."""
    return max(unseen_from(eps) ** 2, unseen_from(HIDDEN_EPS))
