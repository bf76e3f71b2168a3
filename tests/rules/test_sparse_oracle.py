"""Sparse gradients of each rule have the bits of the oracle."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.sparse_batches import KINDS, SHAPES, batches, draw_scaling
from helpers.sparse_rules import RULES, Oracle, SparseRule
from helpers.values import bfloat16, draw, normal
from numpy_adagrad import RowSparse
from threadpoolctl import threadpool_limits

HALVES = [np.dtype(np.float16), bfloat16]


@pytest.fixture(params=RULES)
def rule(request: pytest.FixtureRequest) -> SparseRule:
    return RULES[request.param]


def assert_equals(optimizer: Any, oracle: Oracle, context: str) -> None:
    (group,) = optimizer.param_groups
    assert_same_bits(group["params"][0], oracle.param, f"parameter, {context}")
    assert_same_bits(optimizer.state[0][optimizer._accumulator], oracle.accum, f"accumulator, {context}")


@pytest.mark.parametrize("dtype", ["float32", "float64", *HALVES], ids=str)
@pytest.mark.parametrize("seed", range(130))
def test_random_configurations(rule: SparseRule, dtype: npt.DTypeLike, seed: int) -> None:
    """Of each rule 520, of some steps on 1, 2, 3 or 7 threads."""
    rng = np.random.default_rng(seed)
    shape, kind = SHAPES[seed % len(SHAPES)], KINDS[seed % len(KINDS)]
    options, scaling = rule.draw_options(rng), draw_scaling(rng, kind)
    param = draw(rng, shape, dtype, kind)
    oracle, optimizer = rule.oracle(param, options), rule.make(param, options)
    with threadpool_limits([1, 2, 3, 7][seed // len(SHAPES) % 4], user_api="openmp"), np.errstate(all="ignore"):
        for step, indices, values in batches(rng, param, kind):
            before = indices.copy(), values.copy()
            optimizer.step([RowSparse(indices, values)], **scaling)
            oracle.step(indices, values, **scaling)
            assert_equals(optimizer, oracle, f"step {step}, {scaling}")
            assert_same_bits(indices, before[0])
            assert_same_bits(values, before[1])


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_large_batches_on_any_number_of_threads(rule: SparseRule, threads: int) -> None:
    """Few of the 5,000 rows of a table have most of the entries."""
    param = np.random.default_rng(6).standard_normal((5000, 64), np.float32)
    oracle, optimizer = rule.oracle(param, rule.defaults), rule.make(param, rule.defaults)
    rng = np.random.default_rng(5)
    with threadpool_limits(threads, user_api="openmp"):
        for step in range(2):
            indices = np.minimum(rng.zipf(1.3, 20_000), 5000) - 1
            values = rng.standard_normal((20_000, 64), np.float32)
            optimizer.step([RowSparse(indices, values)], max_norm=1.0)
            oracle.step(indices, values, max_norm=1.0)
            assert_equals(optimizer, oracle, f"step {step}")


@pytest.mark.parametrize("half", HALVES, ids=str)
@pytest.mark.parametrize("scaling", [{}, {"max_norm": 1.0, "grad_scale": 3.0}], ids=str)
def test_half_gradients_and_float32_accumulators(
    rule: SparseRule, half: npt.DTypeLike, scaling: dict[str, float]
) -> None:
    for dtype, state_dtype in (("float32", None), (half, np.float32)):
        param = normal(40, 3, dtype=dtype)
        oracle = rule.oracle(param, rule.defaults, state_dtype)
        optimizer = rule.make(param, rule.defaults, state_dtype)
        for step, indices, values in batches(np.random.default_rng(7), param, "normal", half):
            optimizer.step([RowSparse(indices, values)], **scaling)
            oracle.step(indices, values, **scaling)
            assert_equals(optimizer, oracle, f"step {step}")
