"""The figures of the notes: each bound holds on a fine grid, and is reached there."""

import math
from typing import Literal

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.fma import fma
from numpy_adagrad.migration.error_bounds import (
    NEAR,
    absorption_threshold,
    decay_bound,
    difference,
    equality_threshold,
    matching_eps,
    near_threshold,
    update_ratio,
)
from numpy_adagrad.migration.spec import Eps, WeightDecay

EPS = [0, 1e-30, 1e-10, 1e-8, 3e-8, 1e-6, 1e-4, 2.0**-10, 1e-3, 0.3, 7.0]
Position = Literal["to the root", "under the root"]
BESIDE: Position = "to the root"
UNDER: Position = "under the root"
HIDDEN = Eps(1e-8, UNDER)
each_eps = pytest.mark.parametrize("eps", EPS)
each_pair_of_positions = pytest.mark.parametrize(
    "positions", [(BESIDE, UNDER), (UNDER, BESIDE), (BESIDE, BESIDE), (UNDER, UNDER)]
)


@each_eps
def test_an_absorbed_eps_changes_no_float32(eps: float) -> None:
    """All numbers of two binades above the threshold stay the same; the next one below it changes."""
    least, single = np.float32(absorption_threshold(eps)), np.float32(eps)
    significands = np.arange(1 << 23, 1 << 25, 7).astype(np.float32) / np.float32(1 << 23)
    assert_same_bits(least * significands + single, least * significands)
    if eps > 1e-25:
        below = np.nextafter(least, np.float32(0))
        assert below + single != below


@each_eps
@pytest.mark.parametrize("position", [BESIDE, UNDER])
def test_equal_divisors_in_float32(eps: float, position: Position) -> None:
    threshold = equality_threshold(Eps(eps, position), HIDDEN)
    accumulators = (np.float32(threshold) * np.geomspace(1, 1e6, 10_001)).astype(np.float32)
    roots = np.sqrt(accumulators)
    added = np.float32(eps)
    assert_same_bits(roots + added if position == BESIDE else np.sqrt(accumulators + added), roots)
    assert_same_bits(np.sqrt(accumulators + np.float32(1e-8)), roots)


@each_eps
@each_pair_of_positions
@pytest.mark.parametrize("other", [1e-8, 1e-3])
@pytest.mark.parametrize("accumulator", [0.0, 1e-12, 1e-6, 0.1, 100.0])
def test_update_ratio(eps: float, positions: tuple[Position, Position], other: float, accumulator: float) -> None:
    """The range holds on a fine grid, which reaches both of its ends, except for a far-away 1."""
    source, target = Eps(eps, positions[0]), Eps(other, positions[1])
    accumulators = accumulator + np.concatenate([[0.0], np.geomspace(1e-30, 1e30, 20_001)])
    roots = np.sqrt(accumulators)
    divisors = [
        roots + one.value if one.position == BESIDE else np.sqrt(accumulators + one.value) for one in (source, target)
    ]
    ratios = divisors[0] / divisors[1]
    least, greatest = update_ratio(source, target, accumulator)
    assert least * (1 - 1e-15) <= ratios.min() <= least * (1 + 1e-5)
    assert greatest * (1 - 1e-5) <= ratios.max() <= greatest * (1 + 1e-15)
    assert difference(source, target, accumulator) == max(1 - least, greatest - 1)


def test_no_eps_at_all() -> None:
    assert update_ratio(Eps(0, BESIDE), Eps(0, UNDER), 0.0) == (1, 1)
    assert update_ratio(Eps(1e-7, UNDER), Eps(0, BESIDE), 0.0) == (1, math.inf)


@each_eps
def test_near_threshold(eps: float) -> None:
    beside = Eps(eps, BESIDE)
    threshold = near_threshold(beside, HIDDEN)
    assert difference(beside, HIDDEN, threshold) <= NEAR < difference(beside, HIDDEN, threshold / 10)


def test_figures_without_bound() -> None:
    infinite, huge = Eps(math.inf, BESIDE), Eps(1e300, BESIDE)
    assert near_threshold(infinite, HIDDEN) == equality_threshold(infinite, HIDDEN) == math.inf
    assert near_threshold(huge, HIDDEN) == absorption_threshold(1e300) == math.inf
    assert update_ratio(huge, HIDDEN, 0.0)[1] > 1e303


@pytest.mark.parametrize("accumulator", [0.0, 1e-12, 1e-8, 1e-3, 0.1, 0.25, 1.0, 1e6])
@pytest.mark.parametrize("eps", [1e-8, 1e-7, 1e-3])
@each_pair_of_positions
def test_matching_eps(accumulator: float, eps: float, positions: tuple[Position, Position]) -> None:
    source = Eps(eps, positions[0])
    matched = Eps(matching_eps(source, positions[1], accumulator), positions[1])
    rounding = 2**-52 * math.sqrt(accumulator)
    allowed = 0.005 * (source.divisor(accumulator) - math.sqrt(accumulator)) + rounding
    assert abs(matched.divisor(accumulator) - source.divisor(accumulator)) <= allowed
    if positions[0] == positions[1]:
        assert matched == source
    assert matching_eps(Eps(0, positions[0]), positions[1], accumulator) == 0


def test_decay_bound() -> None:
    """It holds for random float32 numbers, and some come near it. Equal roundings have no difference."""
    rng = np.random.default_rng(1)
    w, g = (rng.standard_normal(100_000).astype(np.float32) for _ in range(2))
    decay = np.float32(0.1)
    once, twice = fma(w, np.full_like(w, decay), g), w * decay + g
    product, result = decay_bound(WeightDecay(0.1, rounds_product=False), WeightDecay(0.1))
    bound = product * np.abs(np.float64(w) * np.float64(decay)) + result * np.abs(np.float64(twice))
    difference = np.abs(np.float64(once) - np.float64(twice))
    assert (difference <= bound * (1 + 1e-6)).all()
    assert (difference > 0.5 * bound).any()
    assert decay_bound(WeightDecay(0.1), WeightDecay(0.1)) == (0, 0)
