"""Instruction set, number of threads, length, offset: none of them changes a bit. Nor does a new version."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.instruction_sets import supported
from helpers.interpreters import program
from helpers.values import draw
from programs.same_bits import dtype_combos

# Of the results of commit bedbcb3, on every instruction set. Its results for the dense cases of that time were those of
# commit f51a83a, the last before the sources were rearranged.
RECORDED = "7ad606a600866b8a6effcbac6cdf5a3ac56746997285fd7ada2de0a904f35e67"
RECORDED_RULES = ("TorchAdagrad", "MindSporeAdagrad")


def results_of(isa: str, variable: int, limit: int = 0) -> dict[str, Any]:
    """The digests of all cases. OMP_NUM_THREADS is the variable; a limit is set by threadpoolctl."""
    printed = program("same_bits", limit, NUMPY_ADAGRAD_ISA=isa, OMP_NUM_THREADS=str(variable))
    results: dict[str, Any] = json.loads(printed)
    assert (results.pop("instruction set"), results.pop("threads")) == (isa, limit or variable)
    return results


@pytest.fixture(scope="module")
def serial_baseline() -> dict[str, Any]:
    return results_of("baseline", 1)


@pytest.mark.parametrize(
    ("variable", "limit"), [(1, 0), (2, 0), (3, 0), (7, 0), (1, 7)], ids=["1", "2", "3", "7", "threadpoolctl_7"]
)
@pytest.mark.parametrize("isa", supported())
def test_instruction_sets_and_threads(serial_baseline: dict[str, Any], isa: str, variable: int, limit: int) -> None:
    results = results_of(isa, variable, limit)
    assert results.keys() == serial_baseline.keys()
    differing = [key for key, expected in serial_baseline.items() if results[key] != expected]
    assert not differing, f"{isa} with {limit or variable} threads differs from serial baseline in {differing}"
    assert len({tuple(values) for values in results.values()}) == len(results), "every case has its own numbers"


def test_recorded_bits(serial_baseline: dict[str, Any]) -> None:
    recorded = {key: value for key, value in serial_baseline.items() if key.startswith(RECORDED_RULES)}
    assert hashlib.sha256(json.dumps(recorded, sort_keys=True).encode()).hexdigest() == RECORDED


def test_length_and_offset(dialect: Dialect) -> None:
    """The result for an element does not depend on where it lies and how many others follow."""
    for param_dtype, grad_dtype, state_dtype in dtype_combos(dialect):
        rng = np.random.default_rng(1)
        numbers, slopes = draw(rng, 80, param_dtype, "awkward"), draw(rng, 80, grad_dtype, "awkward")
        cases = [(length, offset) for length in (*range(71), 80) for offset in range(4)]
        params = [np.resize(numbers, 80 + offset)[offset:][:length] for length, offset in cases]
        grads = [np.empty(84, slopes.dtype)[3 - offset :][:length] for length, offset in cases]
        for (length, _), param, grad in zip(cases, params, grads, strict=True):
            param[...], grad[...] = numbers[:length], slopes[:length]
        optimizer = dialect.make(params, state_dtype=state_dtype, weight_decay=0.013)
        optimizer.step(grads)
        accums = dialect.accumulators(optimizer)
        for i, (length, offset) in enumerate(cases):
            context = f"of {param_dtype}, length {length}, offset {offset}"
            assert_same_bits(params[i], params[-1][:length], f"parameter {context}")
            assert_same_bits(accums[i], accums[-1][:length], f"accumulator {context}")


@pytest.mark.parametrize("length", [2047, 2048, 2111])
@pytest.mark.parametrize(("kind", "scaling"), [("awkward", {}), ("normal", {"max_norm": 1.0, "grad_scale": 3.0})])
def test_long_arrays_at_any_place_in_a_cache_line(
    dialect: Dialect, kind: str, scaling: dict[str, Any], length: int
) -> None:
    """Their loop begins on a line, with a few elements before it."""
    for param_dtype, grad_dtype, state_dtype in dtype_combos(dialect):
        rng = np.random.default_rng(1)
        numbers, slopes = draw(rng, length, param_dtype, kind), draw(rng, length, grad_dtype, kind)
        params = [np.resize(numbers, length + offset)[offset:] for offset in range(33)]
        for param in params:
            param[...] = numbers
        pieces = [numbers[start : start + 100].copy() for start in range(0, length, 100)]
        grads = [slopes] * len(params) + [slopes[start : start + 100] for start in range(0, length, 100)]
        optimizer = dialect.make([*params, *pieces], state_dtype=state_dtype, weight_decay=0.013)
        optimizer.step(grads, **scaling)
        assert np.isfinite(np.concatenate(pieces)).any()
        assert not scaling or np.isfinite(optimizer.grad_norm or np.nan)
        accums = dialect.accumulators(optimizer)
        for i, param in enumerate(params):
            context = f"of {param_dtype}, length {length}, offset {i}"
            assert_same_bits(param, np.concatenate(pieces), f"parameter {context}")
            assert_same_bits(accums[i], np.concatenate(accums[len(params) :]), f"accumulator {context}")
