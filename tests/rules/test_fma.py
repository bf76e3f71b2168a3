"""The exact parts of the oracle: the fused multiply-add against the C library's, and sums in the fixed order."""

import ctypes
import ctypes.util
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.fma import fma
from helpers.oracle import SUM_BLOCK, fixed_sum
from helpers.values import AWKWARD, KINDS, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_adagrad.inputs.types import Array

Float: TypeAlias = type[np.floating[Any]]


def c_fma(dtype: Float) -> Callable[..., Array]:
    """The C library's, which is correctly rounded."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    function, kind = (library.fmaf, ctypes.c_float) if dtype == np.float32 else (library.fma, ctypes.c_double)
    function.restype, function.argtypes = kind, [kind] * 3
    return np.vectorize(lambda a, b, c: dtype(function(a, b, c)), otypes=[dtype])


@np.errstate(all="ignore")
def assert_fma(dtype: Float, a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike, context: str) -> None:
    assert_same_bits(fma(a, b, c), c_fma(dtype)(a, b, c), context)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
class TestFma:
    def test_awkward_values(self, dtype: Float) -> None:
        table = AWKWARD[np.dtype(dtype)]
        a, b, c = np.meshgrid(table, table, table)
        assert_fma(dtype, a, b, c, "awkward")

    @pytest.mark.parametrize("kind", KINDS)
    def test_random_values(self, dtype: Float, kind: str) -> None:
        rng = np.random.default_rng(1)
        a, b, c = (draw(rng, 10_000, dtype, kind) for _ in range(3))
        assert_fma(dtype, a, b, c, kind)

    @pytest.mark.parametrize("scale", ["one", "subnormal", "largest"])
    def test_near_ties_and_cancellation(self, dtype: Float, scale: str) -> None:
        """Short significands make ties likely, an addend of the product's size makes cancellation likely."""
        rng, limits, count = np.random.default_rng(2), np.finfo(dtype), 10_000
        power = {"one": 0, "subnormal": limits.minexp - 20, "largest": limits.maxexp - 6}[scale]
        digits = limits.nmant // 2 + 1
        powers = [[power // 2], [power - power // 2]]
        a, b = np.ldexp(rng.integers(1, 2**digits, (2, count)) / 2**digits, powers).astype(dtype)
        with np.errstate(all="ignore"):
            c = np.ldexp(rng.integers(-7, 8, count) / 8, power + rng.integers(-40, 41, count)).astype(dtype)
        assert_fma(dtype, a, b, c, "ties")
        assert_fma(dtype, a, b, -(a * b), "cancellation")


@settings(deadline=None)
@given(*[st.floats(width=32)] * 3)
def test_fma_of_any_floats(a: float, b: float, c: float) -> None:
    for dtype in (np.float32, np.float64):
        assert_fma(dtype, dtype(a), dtype(b), dtype(c), dtype.__name__)


def test_fixed_sum_is_exact_where_nothing_rounds() -> None:
    for size in (0, 1, 15, 16, 17, SUM_BLOCK - 1, SUM_BLOCK, 3 * SUM_BLOCK + 5):
        values = np.random.default_rng(size).integers(-1000, 1000, size)
        assert fixed_sum(values.astype(np.float32)) == values.sum()


def test_fixed_sum_takes_its_lanes_apart() -> None:
    """The first and the seventeenth element share a lane, the first and the second do not."""
    values = np.zeros(17)
    values[[0, 16, 1]] = 1e16, -1e16, 1
    assert fixed_sum(values) == 1
    values[[0, 16, 1]] = 1e16, 1, -1e16
    assert fixed_sum(values) == 0
    assert math.fsum(values) == 1
