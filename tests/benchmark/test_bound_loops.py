"""The loops of `bench/bounds.cpp` read and write what they claim, in every variant."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from bound_loops import LARGE, Variant, build_bounds, cut, place, rows_bound
from bound_loops import DenseBound as Bound
from helpers.benchmarks import DENSE
from numpy_adagrad.benchmark.dense_workloads import dtype_of
from numpy_adagrad.inputs.types import Array

LENGTHS = (1, 15, 1000, 4097, 40_001)
AHEAD = (0, 1024)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_bounds(str(tmp_path_factory.mktemp("bounds")))


def arrays(dtype: np.dtype[Any], seed: int, skipped: int = 0) -> list[Array]:
    """Return random arrays that begin some elements after the place where NumPy puts them."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(skipped + n).astype(dtype)[skipped:] for n in LENGTHS]


def bits(array: Array) -> Array:
    """Return a copy of the bits."""
    return array.view(f"u{array.itemsize}").copy()


def accumulators(bound: Bound, variant: Variant) -> Array:
    """Return a copy of the bits of all accumulators, joined."""
    start, itemsize = bound.sums.ctypes.data, bound.sums.itemsize
    memory = bound.sums.view(f"u{itemsize}")
    first = [(s - start) // itemsize for s in variant.pieces[:, 1]]
    return np.concatenate([memory[k : k + n] for k, n in zip(first, variant.pieces[:, 3], strict=True)])


@pytest.mark.parametrize("workload", DENSE, ids=lambda workload: workload.name)
@pytest.mark.parametrize("skipped", [0, 1])
def test_memory_bound(library: str, workload: Any, skipped: int) -> None:
    """It changes the last bits of parameters and accumulators where that of the gradient is set, and nothing else."""
    dtype, clips = dtype_of(workload.dtype), workload.max_norm is not None
    params, grads = arrays(dtype, 1), arrays(dtype, 2, skipped)
    bound = Bound(library, "memory_bound", params, grads, workload.state_dtype, clips)
    last_bits = [bits(g) & 1 for g in grads]
    assert any(each.any() for each in last_bits)
    for variant in (Variant(*each) for each in product(bound.places, AHEAD, (True, False))):
        before, sums = [bits(p) for p in params], accumulators(bound, variant)
        unchanged = [bits(g) for g in grads]
        bound.use(variant)
        bound.run()
        for p, old, last in zip(params, before, last_bits, strict=True):
            np.testing.assert_array_equal(bits(p), old ^ last)
        np.testing.assert_array_equal(accumulators(bound, variant), sums ^ np.concatenate(last_bits))
        for g, old in zip(grads, unchanged, strict=True):
            np.testing.assert_array_equal(bits(g), old)
    read = np.bitwise_xor.reduce(np.concatenate([bits(g) for g in grads]))
    assert bound.work.read == (read if clips else 0)


def test_divider_bound(library: str) -> None:
    dtype = np.dtype(np.float32)
    params, grads = arrays(dtype, 1), arrays(dtype, 2)
    bound = Bound(library, "divider_bound", params, grads, dtype)
    bound.sums[...] = 4
    bound.tune()
    bound.run()
    for p, g in zip(params, grads, strict=True):
        np.testing.assert_array_equal(p, g / 2)


@pytest.mark.parametrize("workload", DENSE, ids=lambda workload: workload.name)
def test_where_accumulators_are(workload: Any) -> None:
    """Pieces cover all elements once; on a line of the parameter, a line of the accumulator begins."""
    dtype, state_dtype = dtype_of(workload.dtype), workload.state_dtype
    params = arrays(dtype, 1)
    memory = np.ones(200_000, state_dtype)
    for offset in (0, 2048):
        sums = place(params, memory, offset)
        ends = [s + p.size * memory.itemsize for p, s in zip(params, sums, strict=True)]
        assert memory.ctypes.data <= sums[0]
        assert all(end <= s for end, s in zip(ends, sums[1:], strict=False))
        assert ends[-1] <= memory.ctypes.data + memory.nbytes
        pieces = cut(params, sums, memory.itemsize, params)
        assert pieces[:, 3].sum() == sum(LENGTHS)
        starts = {p.ctypes.data for p in params}
        assert all(p % 64 == 0 and s % 64 == 0 for p, s, *_ in pieces.tolist() if p not in starts)
        large = [(p.ctypes.data, s) for p, s in zip(params, sums, strict=True) if p.nbytes >= LARGE]
        if dtype == state_dtype:
            assert all((s - p) % 4096 == offset for p, s in large)


@pytest.mark.parametrize("width", [1, 5, 64])
def test_rows_bound(library: str, width: int) -> None:
    """It changes the last bits of the touched rows once, however often they occur."""
    rng = np.random.default_rng(1)
    table = rng.standard_normal((300, width), np.float32)
    batches = [(rng.integers(0, 300, 100), rng.standard_normal((100, width), np.float32)) for _ in range(2)]
    bounds = [bound for parallel in (True, False) for bound in rows_bound(library, table, batches, parallel)]
    for bound, (indices, _) in zip(bounds, batches * 2, strict=True):
        expected = bits(table)
        expected[np.unique(indices)] ^= 1
        bound()
        np.testing.assert_array_equal(bits(table), expected)
