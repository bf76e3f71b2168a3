"""A step after which nothing changed takes a short path; the next step must notice whatever did change."""

from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import DIALECTS, Dialect
from numpy_adagrad.inputs.types import Array

OPTIONS = [(dialect, key) for dialect in DIALECTS.values() for key in dialect.watched_keys]


def arrays(seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(40, np.float32), rng.standard_normal((3, 16), np.float32)]


def two_groups(dialect: Dialect, params: list[Array]) -> Any:
    return dialect.optimizer([{"params": params[:1]}, {"params": params[1:]}])


def another(value: Any) -> Any:
    return not value if isinstance(value, bool) else value + 0.3


@pytest.mark.parametrize(("dialect", "key"), OPTIONS, ids=lambda value: str(value))
@pytest.mark.parametrize("as_array", [False, True])
def test_a_changed_option_counts_from_the_next_step(dialect: Dialect, key: str, as_array: bool) -> None:
    params, expected = arrays(1), arrays(1)
    optimizer, other = two_groups(dialect, params), two_groups(dialect, expected)
    value = another(optimizer.param_groups[1][key])
    grads = arrays(2)
    for _ in range(3):
        optimizer.step(grads)
        other.step(tuple(grads))
    optimizer.param_groups[1][key] = np.array(value) if as_array and isinstance(value, float) else value
    other.add_param_group({"params": [np.zeros(1, np.float32)]})  # so that it makes a new plan
    other.param_groups[1][key] = value
    for _ in range(3):
        optimizer.step(grads)
        other.step([*grads, None])
    for mine, theirs in zip(params, expected, strict=True):
        assert_same_bits(mine, theirs)
    unchanged = arrays(1)
    same = two_groups(dialect, unchanged)
    for _ in range(6):
        same.step(grads)
    assert not np.array_equal(params[1], unchanged[1])


def test_a_group_that_first_had_no_gradient_has_its_own_options(dialect: Dialect) -> None:
    params, first, second = arrays(1), arrays(1), arrays(1)
    grads = arrays(2)
    optimizer = two_groups(dialect, params)
    optimizer.param_groups[1][dialect.group_rate] = 0.7
    optimizer.step([grads[0], None])
    optimizer.step([None, grads[1]])
    dialect.optimizer([{"params": first[:1]}]).step(grads[:1])
    dialect.optimizer([{"params": second[1:], dialect.group_rate: 0.7}]).step(grads[1:])
    assert_same_bits(params[0], first[0])
    assert_same_bits(params[1], second[1])


@pytest.mark.parametrize(("dialect", "key"), OPTIONS, ids=lambda value: str(value))
def test_a_missing_key_is_an_error(dialect: Dialect, key: str) -> None:
    optimizer = dialect.optimizer([np.zeros(2)])
    optimizer.step([np.ones(2)])
    del optimizer.param_groups[0][key]
    with pytest.raises(KeyError, match=key):
        optimizer.step([np.ones(2)])


def test_gradients_at_another_address_are_checked_there(dialect: Dialect) -> None:
    """Same shape and dtype, other memory: read there, and an error where a step writes."""
    memory = np.zeros(64, np.float32)
    w = memory[:16]
    optimizer = dialect.optimizer([w])
    optimizer.step([memory[16:32]])
    optimizer.step([np.ones(16, np.float32)])
    updated = w.copy()
    assert (updated < 0).all()
    with pytest.raises(ValueError, match="expected its own memory"):
        optimizer.step([memory[8:24]])
    assert_same_bits(w, updated)
    optimizer.step([memory[16:32]])
    assert_same_bits(w, updated)


def test_gradients_in_another_layout_are_read_as_such(dialect: Dialect) -> None:
    w, expected = np.zeros((3, 4)), np.zeros((3, 4))
    optimizer, other = dialect.optimizer([w]), dialect.optimizer([expected])
    grad = np.arange(12.0).reshape(3, 4)
    backward, wide = grad[::-1, ::-1].copy(), np.repeat(grad, 2, axis=1)
    for layout in (grad, np.asfortranarray(grad), backward[::-1, ::-1], wide[:, ::2], grad):
        optimizer.step([layout])
        other.step([grad.copy()])
        assert_same_bits(w, expected)
