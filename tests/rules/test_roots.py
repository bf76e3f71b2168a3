"""The square roots of the kernels are rounded once, whatever unit of the processor computes them.

A root that is computed by multiplying differs from the true one by less than 2^-49 of a unit in the last place before
it is rounded (float64). It can be rounded wrongly only if the true root comes as close to the middle m of two numbers:
only for x with |x - m * m| < 32, where the last place of the root counts 1. Such x are few.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array


def check(radicands: Array, lr: float, grad: float) -> None:
    """Update zeros with a gradient that is too small to change the accumulators: the quotients show the roots."""
    grads = np.full_like(radicands, grad)
    param, expected = np.zeros_like(radicands), -(radicands.dtype.type(lr) * grads / np.sqrt(radicands))
    optimizer = TorchAdagrad([param], lr=lr, eps=0.0)
    optimizer.state[0]["sum"][...] = radicands
    optimizer.step([grads])
    assert_same_bits(optimizer.state[0]["sum"], radicands, "accumulator")
    assert_same_bits(param, expected, "parameter")


@pytest.mark.parametrize("lr", [1.0, 1.125, 1.375, 1.625, 1.875])
def test_every_significand_of_float32(lr: float) -> None:
    """Roots of [1, 4) are those of all other numbers but for the exponent."""
    check(np.arange(0x3F800000, 0x40800000, dtype=np.uint32).view(np.float32), lr, 2.0**-15)


def roots_of_one_modulo(power: int, square: int) -> Iterator[int]:
    """Yield the numbers whose square is `square` modulo 2^power, where `square` is 1 modulo 8."""
    root = 1
    for bits in range(3, power):
        if (root * root - square) % 2 ** (bits + 1):
            root += 2 ** (bits - 1)
    for sign in (1, -1):
        for half in (0, 2 ** (power - 1)):
            yield (sign * root + half) % 2**power


def close_to_the_middle(distance: int) -> list[float]:
    """Return the float64 numbers x of [2^104, 2^106) for which |x - (k + 1/2)^2| < distance, for a whole number k.

    x is a multiple of 2^52, or of 2^53 from 2^105. With x = k^2 + k - c, (2k + 1)^2 is 4c + 1 modulo four times that.
    """
    found = []
    for zeros, low, high in ((52, 2**104, 2**105), (53, 2**105, 2**106)):
        for c in range(-distance, distance + 1, 2):
            for odd in roots_of_one_modulo(zeros + 2, 4 * c + 1):
                # The numbers k of both binades differ from a solution by multiples of 2^(zeros + 1).
                for k in range((odd - 1) // 2, 2**53, 2 ** (zeros + 1)):
                    x = k * k + k - c
                    if low <= x < high:
                        assert x % 2**zeros == 0
                        found.append(float(x))
    return found


@pytest.mark.parametrize("lr", [1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875])
def test_hard_cases_of_float64(lr: float) -> None:
    radicands = np.array(close_to_the_middle(256)) * 2.0**-104
    assert len(radicands) > 100
    check(np.resize(radicands, 4 * len(radicands) + 32), lr, 2.0**-30)  # so that each is in several places of a vector


@pytest.mark.parametrize(("dtype", "grad"), [(np.float32, 2.0**-80), (np.float64, 2.0**-540)])
def test_small_numbers(dtype: type[np.floating[Any]], grad: float) -> None:
    """Numbers just above the smallest normal one: the remainders are subnormal, or nearly so."""
    rng, tiny = np.random.default_rng(1), float(np.finfo(dtype).tiny)
    radicands = (rng.uniform(1, 2, 100_000) * 2.0 ** rng.integers(0, 150, 100_000) * tiny).astype(dtype)
    check(radicands, 1.375, grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends_of_the_range(dtype: type[np.floating[Any]]) -> None:
    """Roots that need the divider, in one place of otherwise ordinary numbers, and zeros, which do not.

    The rate makes normal numbers of the quotients, and nothing is added to a root but where it would be 0 or NaN.
    """
    info = np.finfo(dtype)
    limit = 2.0**-100 if dtype == np.float32 else 2.0**-900
    small = [info.smallest_subnormal, info.smallest_normal, limit * (1 - info.epsneg), limit]
    for value in np.array([0, *small, info.max, np.inf, np.nan, -0.0, -1], dtype):
        for place in (0, 17, 63, 100, 128):
            param, state = np.zeros(129, dtype), np.linspace(1, 2, 129, dtype=dtype)
            state[place] = value
            grads = np.full(129, 4 * info.smallest_subnormal)
            is_positive = 0 < value < np.inf
            rate, eps = (2.0**120 if dtype == np.float32 else 2.0**1000, 0.0) if is_positive else (0.5, 0.25)
            optimizer = TorchAdagrad([param], lr=rate, eps=eps)
            optimizer.state[0]["sum"][...] = state
            optimizer.step([grads])
            state += grads * grads
            with np.errstate(invalid="ignore", under="ignore"):
                expected = 0 - dtype(rate) * grads / (np.sqrt(state) + dtype(eps))
            assert_same_bits(param, expected, f"{value} at {place}")
            assert not is_positive or len(np.unique(param)) > 100
