"""Groups of MindSporeAdagrad: those added later, the order of their parameters, their errors in MindSpore's words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import DIALECTS
from helpers.errors import error_of, raises, raises_unchanged
from helpers.mindspore_arrays import parameter
from helpers.two_groups import gradients, start
from helpers.values import normal
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad
from numpy_adagrad.inputs.types import Array

DIALECT = DIALECTS["mindspore"]


def draw_all(*sizes: int, seed: int = 1) -> list[Array]:
    return [normal(size, seed=seed + size) for size in sizes]


def test_a_group_added_later() -> None:
    """It starts at the shared global step, with the constructor's start."""
    params, added = draw_all(3, 4), draw_all(5)
    ours = MindSporeAdagrad([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], 0.25, [0.3, 0.1, 0.2])
    ours.step(draw_all(3, 4, seed=2))
    ours.add_param_group({"params": added, "weight_decay": 0.1})
    late = MindSporeAdagrad([{"params": [added[0].copy()], "weight_decay": 0.1}], 0.25, [0.3, 0.1, 0.2])
    late.global_step[...] = 1
    for step in range(2):
        grads = draw_all(3, 4, 5, seed=step)
        ours.step(grads)
        late.step(grads[2:])
        assert_same_bits(added[0], late.param_groups[0]["params"][0])
        assert_same_bits(ours.state[2]["accum"], late.state[0]["accum"])
    assert ours.names == ["param0", "param1", "param2"]
    rates = ["learning_rate", "learning_rate_group_1", "learning_rate"]
    assert [group["lr_name"] for group in ours.param_groups] == rates
    ours.add_param_group({"params": {"w": np.ones(2)}, "lr": 0.5})
    assert (ours.names[-1], ours.param_groups[-1]["lr_name"]) == ("w", "learning_rate_group_3")


RATES: list[Any] = [0.1, np.float64(0.1), np.array(0.1), [0.1, 0.1], (0.1, 0.1), np.array([0.1, 0.1]), lambda step: 0.1]


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: type(rate).__name__ if callable(rate) else repr(rate))
def test_a_rate_has_the_same_effect_however_it_is_given(rate: Any) -> None:
    """Beside a list, MindSpore rounds fixed rates: a 0-d array that was written to a group counted as a list."""
    runs = []
    for given in (rate, 0.2):
        params = [np.zeros(1, np.float32), np.zeros(1, np.float32)]
        optimizer = MindSporeAdagrad([{"params": [params[0]], "lr": given}, {"params": [params[1]], "lr": 0.0123}], 0.0)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step([np.ones(1, np.float32)] * 2)
        runs.append(np.concatenate(params))
    assert_same_bits(runs[0], runs[1])


def test_all_groups_are_searched_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each group: a step with 10,000 groups took half a minute."""
    optimizer = MindSporeAdagrad([{"params": [np.ones(1)], "lr": 1 / (k + 1)} for k in range(9)])
    search, calls = optimizer._has_shifted_rates, 0

    def count() -> bool:
        nonlocal calls
        calls += 1
        return search()

    monkeypatch.setattr(optimizer, "_has_shifted_rates", count)
    grads = [np.ones(1)] * 9
    optimizer.step(grads)
    assert calls == 1
    for k in (0, 4, 8):
        optimizer.param_groups[k]["lr"] = lambda step: 0.5
        optimizer.step(grads)
    assert calls == 4


KEYS = "group: expected keys among ['params', 'lr', 'weight_decay', 'grad_centralization'], got "
# Groups that neither the constructor nor `add_param_group` takes.
NEGATIVE = "For 'Adagrad', the 'learning rate' must be float and must >= 0, but got '-0.5' with type 'float'."
GROUPS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown_key": ({"foreach": False}, KeyError, f"{KEYS}'foreach'"),
    "start": (
        {"accum": 0.5},
        KeyError,
        f"{KEYS}'accum'; all groups share it: give accum to the constructor",
    ),
    "nothing": ({"params": []}, ValueError, "group: expected at least one array in `params`, got none"),
    "negative_rate": ({"lr": -0.5}, ValueError, NEGATIVE),
    "negative_decay": (
        {"weight_decay": -1.0},
        ValueError,
        "For 'Adagrad', the 'weight_decay' must be float and must >= 0, but got '-1.0' with type 'float'.",
    ),
    "centralization": (
        {"grad_centralization": 1},
        TypeError,
        "For 'Adagrad', the type of 'grad_centralization' should be 'bool', but got type 'int'.",
    ),
    "centralization_of_numpy": (
        {"grad_centralization": np.True_},
        TypeError,
        f"For 'Adagrad', the type of 'grad_centralization' should be 'bool', but got type 'numpy.{np.bool_.__name__}'.",
    ),
}


@pytest.mark.parametrize(("options", "error", "message"), GROUPS.values(), ids=GROUPS)
def test_options_of_a_group(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """MindSpore raises an exception of the same type."""
    assert error_of(lambda: nn.Adagrad([{"params": [parameter("f", np.ones(3))], **options}]))[0] is error
    group = {"params": {"f": np.ones(3)}, **options}
    raises(error, message, lambda: MindSporeAdagrad([group]))
    optimizer, _ = start(DIALECT)
    raises_unchanged(optimizer, error, message, lambda: optimizer.add_param_group(group))


def test_a_negative_rate_in_an_array_raises_at_once() -> None:
    raises(ValueError, NEGATIVE, lambda: MindSporeAdagrad([{"params": [np.ones(3)], "lr": np.array(-0.5)}]))


def test_a_group_that_is_none() -> None:
    optimizer, _ = start(DIALECT)
    message = "param_group: expected a dict, got int"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.add_param_group(1))


def test_a_name_like_an_automatic_one() -> None:
    optimizer = MindSporeAdagrad([{"params": [np.ones(3)]}])
    message = "params: expected unique names, got 'param0' twice"
    group = {"params": {"param0": np.ones(2)}}
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.add_param_group(group))


def test_automatic_names_after_a_group_was_removed() -> None:
    optimizer = MindSporeAdagrad([{"params": [np.ones(3)]}, {"params": [np.ones(2)]}])
    del optimizer.param_groups[0]
    optimizer.step([np.ones(2)])
    optimizer.add_param_group({"params": [np.ones(1), np.ones(4)]})
    assert optimizer.names == ["param1", "param2", "param3"]


def test_no_groups_without_groups() -> None:
    optimizer = MindSporeAdagrad([np.ones(3)])
    message = "add_param_group: expected an optimizer that was constructed with groups"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.add_param_group({"params": [np.ones(2)]}))


def test_order_params() -> None:
    """Gradients, state and names follow the order; each parameter keeps its group's options."""
    a, b, c = draw_all(2, 3, 4)
    before = [array.copy() for array in (c, a, b)]
    groups = [{"params": [a, b], "lr": 0.5}, {"params": [c], "weight_decay": 0.1}]
    optimizer = MindSporeAdagrad([*groups, {"order_params": [c, a, b]}])
    grads = draw_all(4, 2, 3, seed=2)
    optimizer.step(grads)
    assert optimizer.names == ["param2", "param0", "param1"]
    assert [state["accum"].shape for state in optimizer.state.values()] == [(4,), (2,), (3,)]
    options = [{"lr": 0.001, "weight_decay": 0.1}, {"lr": 0.5}, {"lr": 0.5}]
    for param, old, grad, own in zip((c, a, b), before, grads, options, strict=True):
        MindSporeAdagrad([{"params": [old], **own}]).step([grad])
        assert_same_bits(param, old)


# Values that are put into a group are read by the next step.
RANGE = "must be float and must >= 0, but got '-1.0' with type 'float'."
VALUES: dict[str, tuple[str, Any, type[Exception], str]] = {
    "weight_decay": ("weight_decay", "0", TypeError, "weight_decay: expected a number or a 1-element array, got str"),
    "negative decay": ("weight_decay", -1.0, ValueError, f"For 'Adagrad', the 'weight_decay' {RANGE}"),
    "negative lr": ("lr", -1.0, ValueError, f"For 'Adagrad', the 'learning rate' {RANGE}"),
    "centralization": (
        "grad_centralization",
        "x",
        TypeError,
        "For 'Adagrad', the type of 'grad_centralization' should be 'bool', but got type 'str'.",
    ),
    "lr": (
        "lr",
        None,
        TypeError,
        "learning_rate: expected a number, a sequence, a 1-dimensional array or a callable, got NoneType",
    ),
}


@pytest.mark.parametrize(("key", "value", "error", "message"), VALUES.values(), ids=VALUES)
def test_wrong_values_in_a_group(key: str, value: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    optimizer, _ = start(DIALECT)
    optimizer.param_groups[1][key] = value
    raises_unchanged(optimizer, error, message, lambda: optimizer.step(gradients()))
    raises(error, message, lambda: optimizer.save(tmp_path / "a"))


def test_a_schedule_may_return_any_number(tmp_path: Path) -> None:
    """As in MindSpore; `last_lr` and `save` raised."""
    optimizer = MindSporeAdagrad([np.ones(3)], learning_rate=lambda step: -0.5, weight_decay=lambda step: -0.25)
    optimizer.step([np.ones(3)])
    assert optimizer.last_lr == [-0.5]
    optimizer.save(tmp_path / "a")
    optimizer.load(tmp_path / "a")
    fixed = MindSporeAdagrad([np.ones(3)], learning_rate=0.1)
    raises_unchanged(fixed, ValueError, f"{tmp_path / 'a'}: {NEGATIVE}", lambda: fixed.load(tmp_path / "a"))
