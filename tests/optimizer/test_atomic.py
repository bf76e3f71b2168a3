"""All or nothing: a step that raises an error or is skipped changes no byte of anything.

The errors of arrays are in arrays/, each also with the proof that it changes nothing.
"""

from functools import partial
from typing import Any, NoReturn

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import snapshot
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.two_groups import SHAPES, gradients, start


def fail(*_: object) -> NoReturn:
    raise LookupError("no rate today")


def rising(step: int) -> float:
    return 0.1 + step


RATES: dict[str, tuple[Any, Any]] = {
    "first": (fail, 0.1),
    "second": (0.1, fail),
    "second_after_another_schedule": (rising, fail),
}


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
def test_failing_schedule(dialect: Dialect, rates: tuple[Any, Any]) -> None:
    optimizer, _ = start(dialect)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group[dialect.group_rate] = rate
    raises_unchanged(optimizer, LookupError, "no rate today", lambda: optimizer.step(gradients()))


# Results of a schedule that are no rates, and the message about them.
BAD_RATES = {
    "text": ("0.1", "expected a number or a 1-element array, got str"),
    "none": (None, "expected a number or a 1-element array, got NoneType"),
    "array": (np.ones(2), "expected a number, got an array of shape (2,) and dtype float64"),
    "complex": (1j, "expected a number or a 1-element array, got complex"),
}


@pytest.mark.parametrize("first", [0.1, rising], ids=["number", "schedule"])
@pytest.mark.parametrize(("rate", "message"), BAD_RATES.values(), ids=BAD_RATES)
def test_schedule_with_a_bad_result(dialect: Dialect, first: Any, rate: Any, message: str) -> None:
    optimizer, _ = start(dialect)
    for group, value in zip(optimizer.param_groups, (first, lambda step: rate), strict=True):
        group[dialect.group_rate] = value
    raises_unchanged(optimizer, TypeError, f"{dialect.rate}: {message}", lambda: optimizer.step(gradients()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", range(len(SHAPES)))
def test_not_finite(dialect: Dialect, position: int, value: float) -> None:
    optimizer, params = start(dialect)
    grads = gradients()
    grads[position][(0,) * grads[position].ndim] = value
    before, norm = snapshot(optimizer, grads), abs(value)
    message = f"grads: expected finite values, got a norm of {norm}"
    clippings: list[dict[str, Any]] = [{}, {"max_norm": 1.0}]
    for clipping in clippings:
        raises(FloatingPointError, message, partial(optimizer.step, grads, on_nonfinite="raise", **clipping))
        assert_same_bits(np.float64(optimizer.grad_norm), np.float64(norm), "norm")
        assert snapshot(optimizer, grads) == before | {"grad_norm": repr(optimizer.grad_norm)}
    for skipped in (1, 2):
        assert optimizer.step(grads, on_nonfinite="skip") is None
        unchanged = before | {"grad_norm": repr(optimizer.grad_norm), "skipped_steps": skipped}
        assert snapshot(optimizer, grads) == unchanged
    b = params["b"].copy()
    optimizer.step(gradients(), on_nonfinite="skip")
    assert (params["b"] != b).any()
    optimizer.step(grads)
    assert optimizer.skipped_steps == 2


def test_gradients_are_only_read(dialect: Dialect) -> None:
    optimizer, params = start(dialect)
    for options in ({}, {"grad_scale": 3.7}, {"max_norm": 0.1}, {"on_nonfinite": "raise"}):
        grads, e = gradients(), params["e"].copy()
        optimizer.step(grads, **options)
        assert (params["e"] != e).any()
        for grad, same in zip(grads, gradients(), strict=True):
            assert_same_bits(grad, same, f"{options}")


def test_a_step_that_is_not_taken_uses_no_rate(dialect: Dialect) -> None:
    """The state dict holds the rates of the last step taken, and no others."""
    optimizer, _ = start(dialect)
    for group in optimizer.param_groups:
        group[dialect.group_rate] = rising
    optimizer.step(gradients())
    before = repr(optimizer.state_dict()), optimizer.last_lr
    grads: list[Any] = gradients()
    grads[3][0, 0] = np.inf
    for missing in (grads[4], None):
        grads[4] = missing
        optimizer.step(grads, on_nonfinite="skip")
        with pytest.raises(TypeError):
            optimizer.step([0, *grads[1:]])
    assert (repr(optimizer.state_dict()), optimizer.last_lr) == before
