"""A correctly rounded fused multiply-add in NumPy, which has none."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
from numpy_adagrad.inputs.types import Array

# Beyond this many binary places the smaller operand of a float64 sum acts by its sign alone.
FAR = 200


@np.errstate(all="ignore")
def fma(a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike) -> Array:
    """a * b + c rounded once. The arrays are all float32 or all float64."""
    a, b, c = np.broadcast_arrays(a, b, c)
    assert a.dtype == b.dtype == c.dtype, (a.dtype, b.dtype, c.dtype)
    if a.dtype == np.float32:
        # The product of two float32 is exact in float64, and so only the sum needs care.
        return _sum_to_odd(np.multiply(a, b, dtype=np.float64), c.astype(np.float64)).astype(np.float32)
    if a.dtype == np.float64:
        return _fma64(a.reshape(-1), b.reshape(-1), c.reshape(-1)).reshape(a.shape)
    raise TypeError(f"fma: expected float32 or float64, got {a.dtype}")


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded sum and its exact error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded product and its exact error (Dekker), for operands near 1."""
    a_high, b_high = (134217729.0 * x - (134217729.0 * x - x) for x in (a, b))
    a_low, b_low = a - a_high, b - b_high
    product = a * b
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def _sum_to_odd(a: Array, b: Array) -> Array:
    """a + b rounded to odd: rounding the result once more, to fewer digits, is then correct."""
    total, error = _two_sum(a, b)
    even = (total.view(np.uint64) & 1) == 0
    inexact = np.isfinite(error) & (error != 0)
    return np.where(inexact & even, np.nextafter(total, np.copysign(np.inf, error)), total)


def _fma64(a: Array, b: Array, c: Array) -> Array:
    """Boldo and Melquiond's algorithm on the significands, so that no step overflows or underflows."""
    (a_part, a_power), (b_part, b_power), (c_part, c_power) = np.frexp(a), np.frexp(b), np.frexp(c)
    power = a_power + b_power
    distance = c_power - power
    near = np.ldexp(c_part, np.clip(distance, -FAR, FAR))
    high, low = _two_product(a_part, b_part)
    upper, lower = _two_sum(near, low)
    total, rest = _two_sum(high, upper)
    result = np.ldexp(total + _sum_to_odd(rest, lower), power)

    result = np.where(distance > FAR, c, result)
    ordinary = np.isfinite(a) & np.isfinite(b) & (a != 0) & (b != 0)
    result = np.where(ordinary, result, a * b + c)
    result = np.where(ordinary & (c == 0), a * b, result)
    result = np.where(ordinary & ~np.isfinite(c), c, result)

    # A subnormal result was rounded twice. Such elements are few, and rational numbers are exact.
    ordinary &= np.isfinite(c) & (c != 0)
    for i in np.flatnonzero(ordinary & (abs(result) <= 2 * np.finfo(np.float64).tiny)):
        result[i] = float(Fraction(a[i].item()) * Fraction(b[i].item()) + Fraction(c[i].item()))
    return result
