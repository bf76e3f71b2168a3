"""Random trainings have the bits of the oracle; a wrong argument in between raises its error and changes nothing.

FUZZ_CASES is the number of trainings, 500 by default.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.check_step import plain
from helpers.contents import snapshot
from helpers.mixed_oracle import MixedOracle
from helpers.trainings import Training, copied, trainings
from helpers.values import misaligned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array
from threadpoolctl import threadpool_limits

CASES = int(os.environ.get("FUZZ_CASES", "500"))

# Each makes something wrong of a parameter, for the gradient that is in its place.
WRONG_GRADIENTS: dict[str, tuple[Callable[[Array], Any], Any, str]] = {
    "list": (lambda p: [1.0], TypeError, "expected a NumPy array, got list"),
    "shape": (lambda p: np.zeros((*p.shape, 1), p.dtype), ValueError, "expected shape"),
    "int": (lambda p: np.zeros(p.shape, int), TypeError, "; cast it with"),
    "masked": (lambda p: np.ma.zeros(p.shape, p.dtype), TypeError, "expected an array without a mask"),
    "bytes": (lambda p: np.zeros(p.shape, np.dtype("f4").newbyteorder()), (TypeError, ValueError), "expected"),
    "misaligned": (
        lambda p: misaligned(np.zeros((*p.shape, 1), p.dtype))[..., 0] if p.size else [1.0],
        (TypeError, ValueError),
        "expected a",
    ),
    "itself": (lambda p: p if p.size else [1.0], (TypeError, ValueError), "expected"),
    "row": (
        lambda p: RowSparse([2**40], np.zeros((1, *p.shape[1:]), p.dtype)),
        (IndexError, ValueError, TypeError),
        "expected",
    ),
    "negative row": (
        lambda p: RowSparse([-1], np.zeros((1, *p.shape[1:]), p.dtype)),
        (IndexError, ValueError, TypeError),
        "expected",
    ),
}
WRONG_OPTIONS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "max_norm": ({"max_norm": -1.0}, ValueError),
    "nan": ({"max_norm": float("nan")}, ValueError),
    "grad_scale": ({"grad_scale": 0.0}, ValueError),
    "text": ({"grad_scale": "1"}, TypeError),
    "on_nonfinite": ({"on_nonfinite": "ignore"}, ValueError),
}


@np.errstate(all="ignore")
def oracle_of(case: Training, optimizer: Any) -> MixedOracle:
    accums = [plain(state[optimizer._accumulator]) for state in optimizer.state.values()]
    return MixedOracle(case.rule, [plain(param) for param in case.params], accums, case.oracle_options)


def rate_of(case: Training) -> Any:
    return (lambda step: case.rate[step]) if isinstance(case.rate, list) else case.rate


def assert_equal(case: Training, optimizer: Any, oracle: MixedOracle) -> None:
    for i, param in enumerate(case.params):
        assert_same_bits(plain(param), oracle.params[i], f"parameter {i}")
        assert_same_bits(plain(optimizer.state[i][optimizer._accumulator]), oracle.accums[i], f"accumulator {i}")
    if case.rule == "torch":
        counts = [int(state["step"]) for state in optimizer.state.values()]
        assert counts == [int(count) for count in oracle.counts]
    else:
        assert optimizer.global_step == oracle.steps
    assert optimizer.skipped_steps == oracle.skipped_steps
    assert repr(optimizer.grad_norm) == repr(None if oracle.norm is None else float(oracle.norm))


def check_wrong_call(case: Training, optimizer: Any, grads: list[Any], data: st.DataObject) -> None:
    """One gradient or option is wrong: an error, and nothing has changed."""
    at = data.draw(st.integers(0, len(grads) - 1))
    grads, options = list(grads), {}
    if data.draw(st.booleans()):
        options, error = data.draw(st.sampled_from(list(WRONG_OPTIONS.values())))
        text = f"{next(iter(options))}: expected "
    else:
        spoil, error, text = data.draw(st.sampled_from(list(WRONG_GRADIENTS.values())))
        grads[at] = spoil(case.params[at])
    before = snapshot(optimizer)
    with pytest.raises(error) as caught:
        optimizer.step(grads, **options)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert snapshot(optimizer) == before


@settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(case=trainings(), data=st.data())
def test_random_training(case: Training, data: st.DataObject) -> None:
    optimizer = case.make()
    oracle = oracle_of(case, optimizer)
    rate = rate_of(case)
    with threadpool_limits(case.threads, user_api="openmp"), np.errstate(all="ignore"):
        for grads, options in case.steps:
            before = [copied(grad) for grad in grads]
            if data.draw(st.integers(0, 2)) == 0:
                check_wrong_call(case, optimizer, grads, data)
            raises = options.get("on_nonfinite") == "raise"
            oracle.step(before, rate, **{**options, **({"on_nonfinite": "skip"} if raises else {})})
            if raises and oracle.norm is not None and not np.isfinite(oracle.norm):
                oracle.skipped_steps -= 1
                with pytest.raises(FloatingPointError, match="expected finite values"):
                    optimizer.step(grads, **options)
            else:
                optimizer.step(grads, **options)
            assert_equal(case, optimizer, oracle)
            for grad, original in zip(grads, before, strict=True):
                if isinstance(grad, RowSparse):
                    assert_same_bits(grad.indices, original.indices)
                    assert_same_bits(grad.values, original.values)
                elif grad is not None:
                    assert_same_bits(plain(grad), original)
