"""Sparse gradients of several steps, and the comparison of an optimizer with the oracle that steps beside it."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from helpers.bits import assert_same_bits
from helpers.values import bfloat16, draw
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array
from threadpoolctl import threadpool_limits

SHAPES = [(1,), (9,), (40, 1), (40, 3), (17, 16), (7, 5, 3), (3, 4099), (900, 64)]
KINDS = ("normal", "wide", "awkward")
HALVES = [np.dtype(np.float16), bfloat16]
STEPS = 3


class Oracle(Protocol):
    """Its own parameter and accumulator, updated by the oracle of a rule."""

    param: Array
    accum: Array

    def step(self, indices: Array, values: Array, **scaling: Any) -> None: ...


def batches(
    rng: np.random.Generator, param: Array, kind: str, dtype: npt.DTypeLike | None = None
) -> Iterator[tuple[int, Array, Array]]:
    """Indices and values of several steps: unique or not, in any order, sometimes none."""
    for step in range(STEPS):
        rows = len(param)
        count = int(rng.choice([0, 1, min(rows, 2), rows // 2, rows, 3 * rows, 20 * min(rows, 40)]))
        indices = rng.integers(0, rows, count).astype(rng.choice(["i4", "i8"]))
        yield step, indices, draw(rng, (count, *param.shape[1:]), dtype or param.dtype, kind)


def draw_scaling(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    scaling = {"grad_scale": rng.choice(np.array([None, 3.7])), "max_norm": rng.choice(np.array([None, 0.7]))}
    if kind != "normal":
        scaling.pop("max_norm")  # the norm is infinite or not a number
    return {key: value for key, value in scaling.items() if value is not None}


def assert_equals(optimizer: Any, oracle: Oracle, context: str) -> None:
    (group,) = optimizer.param_groups
    assert_same_bits(group["params"][0], oracle.param, f"parameter, {context}")
    assert_same_bits(optimizer.state[0][optimizer._accumulator], oracle.accum, f"accumulator, {context}")


def check_configuration(
    rng: np.random.Generator, optimizer: Any, oracle: Oracle, kind: str, seed: int, scaling: dict[str, Any]
) -> None:
    """Some steps on 1, 2, 3 or 7 threads."""
    with threadpool_limits([1, 2, 3, 7][seed % 4], user_api="openmp"), np.errstate(all="ignore"):
        for step, indices, values in batches(rng, oracle.param, kind):
            before = indices.copy(), values.copy()
            optimizer.step([RowSparse(indices, values)], **scaling)
            oracle.step(indices, values, **scaling)
            assert_equals(optimizer, oracle, f"step {step}, {scaling}")
            assert_same_bits(indices, before[0])
            assert_same_bits(values, before[1])


def check_large_batches(optimizer: Any, oracle: Oracle, threads: int) -> None:
    """Of a table of 5,000 rows, where few rows have most of the entries."""
    rng = np.random.default_rng(5)
    with threadpool_limits(threads, user_api="openmp"):
        for step in range(2):
            indices = np.minimum(rng.zipf(1.3, 20_000), 5000) - 1
            values = rng.standard_normal((20_000, 64), np.float32)
            optimizer.step([RowSparse(indices, values)], max_norm=1.0)
            oracle.step(indices, values, max_norm=1.0)
            assert_equals(optimizer, oracle, f"step {step}")


def check_half_gradients(optimizer: Any, oracle: Oracle, half: npt.DTypeLike) -> None:
    rng = np.random.default_rng(7)
    for step, indices, values in batches(rng, oracle.param, "normal", half):
        optimizer.step([RowSparse(indices, values)])
        oracle.step(indices, values)
        assert_equals(optimizer, oracle, f"step {step}")
