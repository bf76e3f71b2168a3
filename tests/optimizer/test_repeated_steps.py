"""A step that finds everything as the last one left it looks at little; whatever has changed it must see."""

from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import Rule
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array

CHANGES = {
    TorchAdagrad: {"lr": 0.3, "lr_decay": 0.5, "eps": 0.1, "weight_decay": 0.2, "maximize": True},
    MindSporeAdagrad: {"lr": 0.3, "weight_decay": 0.2, "grad_centralization": True},
}
CASES = [(rule, field, value) for rule, fields in CHANGES.items() for field, value in fields.items()]


def arrays(seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(40, np.float32), rng.standard_normal((3, 16), np.float32)]


def two_groups(rule: Rule, params: list[Array], **changed: Any) -> TorchAdagrad | MindSporeAdagrad:
    return rule([{"params": params[:1]}, {"params": params[1:], **changed}])


@pytest.mark.parametrize(("rule", "field", "value"), CASES)
@pytest.mark.parametrize("as_array", [False, True])
def test_a_changed_option_counts_from_the_next_step(rule: Rule, field: str, value: Any, as_array: bool) -> None:
    params, expected = arrays(1), arrays(1)
    optimizer, other = two_groups(rule, params), two_groups(rule, expected)
    grads = arrays(2)
    for _ in range(3):
        optimizer.step(grads)
        other.step(tuple(grads))
    optimizer.param_groups[1][field] = np.array(value) if as_array and type(value) is float else value
    other.add_param_group({"params": [np.zeros(1, np.float32)]})  # plans anew
    other.param_groups[1][field] = value
    for _ in range(3):
        optimizer.step(grads)
        other.step([*grads, None])
    for mine, theirs in zip(params, expected, strict=True):
        assert_same_bits(mine, theirs)
    unchanged = arrays(1)
    same = two_groups(rule, unchanged)
    for _ in range(6):
        same.step(grads)
    assert not np.array_equal(params[1], unchanged[1])


def test_an_array_as_rate_is_read_at_every_step() -> None:
    w, rate = np.zeros(2), np.array(1.0)
    optimizer = TorchAdagrad([w], lr=rate)
    for expected in (-1.0, -1.0 - 0.5 / np.sqrt(2), -1.0 - 0.5 / np.sqrt(2) - 0.25 / np.sqrt(3)):
        optimizer.step([np.ones(2)])
        np.testing.assert_allclose(w, expected, rtol=1e-9)
        rate /= 2


def test_a_key_taken_away_is_missed() -> None:
    optimizer = TorchAdagrad([np.zeros(2)])
    optimizer.step([np.ones(2)])
    del optimizer.param_groups[0]["eps"]
    with pytest.raises(KeyError, match="eps"):
        optimizer.step([np.ones(2)])


@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
def test_gradients_that_move_are_checked_where_they_are(rule: Rule) -> None:
    """Same shape and dtype, other memory: read there, and refused where a step writes."""
    memory = np.zeros(64, np.float32)
    w = memory[:16]
    optimizer = rule([w])
    optimizer.step([memory[16:32]])
    optimizer.step([np.ones(16, np.float32)])
    moved = w.copy()
    assert (moved < 0).all()
    with pytest.raises(ValueError, match=r"^grads\[0\].*: expected its own memory, got an overlap with params\[0\]"):
        optimizer.step([memory[8:24]])
    assert_same_bits(w, moved)
    optimizer.step([memory[16:32]])
    assert_same_bits(w, moved)


def test_gradients_in_another_layout_are_read_as_such() -> None:
    w, expected = np.zeros((3, 4)), np.zeros((3, 4))
    optimizer, other = TorchAdagrad([w]), TorchAdagrad([expected])
    grad = np.arange(12.0).reshape(3, 4)
    for layout in (
        grad,
        np.asfortranarray(grad),
        grad[::-1, ::-1][::-1, ::-1],
        np.repeat(grad, 2, axis=1)[:, ::2],
        grad,
    ):
        optimizer.step([layout])
        other.step([grad.copy()])
        assert_same_bits(w, expected)


@pytest.mark.parametrize("option", ["update_slots", "loss_scale"])
def test_what_is_fixed_cannot_be_set(option: str) -> None:
    with pytest.raises(AttributeError):
        setattr(MindSporeAdagrad([np.zeros(1)]), option, 1)
