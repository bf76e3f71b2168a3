"""Names and groups that are changed in place, and groups that do not fit after a change."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import snapshot
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.values import normal
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad


def test_renamed_parameters(dialect: Dialect) -> None:
    """In `names`, in gradients by name and in messages."""
    v, w = normal(4), normal(6)
    optimizer = dialect.make({"v": v, "w": w})
    optimizer.step([normal(4), normal(6)])
    optimizer.param_groups[0]["param_names"][1] = "x"
    assert optimizer.names == ["v", "x"]
    message = "grads[1] ('x'): expected shape (6,), got (5,)"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([normal(4), normal(5)]))
    unknown = "grads: expected one for each parameter (None for no gradient), got none for 'x', but one for 'w'"
    raises_unchanged(optimizer, KeyError, unknown, lambda: optimizer.step({"v": None, "w": normal(6)}))
    before = w.copy()
    optimizer.step({"x": normal(6), "v": None})
    assert (w != before).all()
    optimizer.param_groups[0]["param_names"] = ("y", "z")
    optimizer.step({"z": None, "y": normal(4)})
    assert optimizer.names == ["y", "z"]


def test_names_given_later() -> None:
    w = normal(3)
    optimizer = TorchAdagrad([w])
    optimizer.step([normal(3)])
    assert optimizer.names == []
    optimizer.param_groups[0]["param_names"] = ["w"]
    message = "grads[0] ('w'): expected shape (3,), got (2,)"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([normal(2)]))
    before = w.copy()
    optimizer.step({"w": normal(3)})
    assert (w != before).all()


def test_groups_that_are_no_groups(dialect: Dialect) -> None:
    optimizer = dialect.make([{"params": [normal(4)]}])
    optimizer.step([normal(4)])
    add = "add groups with add_param_group"
    first, whole = optimizer._watched_keys[0], dict(optimizer.param_groups[0])
    unnamed = {key: value for key, value in whole.items() if key != "param_names"}
    cases: list[tuple[Any, type[Exception], str]] = [
        (5, TypeError, "param_groups[1]: expected a dict, got int"),
        ({}, KeyError, "param_groups[1]: expected an entry 'params'"),
        ({"params": [normal(6)]}, KeyError, f"param_groups[1]: expected an entry '{first}'; {add}"),
    ]
    if optimizer.names:
        message = f"param_groups[1]: expected an entry 'param_names'; {add}"
        cases.append(({**unnamed, "params": [normal(6)]}, KeyError, message))
    for group, error, message in cases:
        optimizer.param_groups.append(group)
        raises(error, message, lambda: optimizer.step([normal(4), normal(6)]))
        optimizer.param_groups.pop()
    optimizer.step([normal(4)])


def test_entries_that_are_removed(dialect: Dialect) -> None:
    optimizer = dialect.make([{"params": [normal(4)]}])
    optimizer.step([normal(4)])
    for key in (*optimizer._watched_keys, *optimizer._added_keys):
        value = optimizer.param_groups[0].pop(key)
        message = f"param_groups[0]: expected an entry {key!r}; add groups with add_param_group"
        if key in optimizer._watched_keys:
            raises(KeyError, message, lambda: optimizer.step([normal(4)]))
            raises(KeyError, message, lambda: optimizer.last_lr)
            raises(KeyError, message, optimizer.state_dict)
        assert "Parameter Group 0" in repr(optimizer)
        assert str(optimizer)
        optimizer.param_groups[0][key] = value
    optimizer.step([normal(4)])
    params = optimizer.param_groups[0].pop("params")
    assert "Parameter Group 0" in repr(optimizer)
    assert "0 arrays" in str(optimizer)
    optimizer.param_groups[0]["params"] = params
    assert optimizer.steps == 2


def test_names_that_do_not_fit(dialect: Dialect) -> None:
    optimizer = dialect.make({"v": normal(4), "w": normal(6)})
    grads = [normal(4), normal(6)]
    optimizer.step(grads)
    for names, error, message in (
        (["w", "w"], ValueError, "params: expected unique names, got 'w' twice"),
        (["w"], ValueError, "param_groups[0]['param_names']: expected 2 names, got 1"),
        (np.array(["v", "w"]), TypeError, "param_groups[0]['param_names']: expected a list, got ndarray"),
        (None, TypeError, "param_groups[0]['param_names']: expected a list, got NoneType"),
    ):
        optimizer.param_groups[0]["param_names"] = names
        raises(error, message, lambda: optimizer.step(grads))
    optimizer.param_groups[0]["param_names"] = ["v", "w"]
    optimizer.step(grads)


@pytest.mark.parametrize("name", ["w.beta", "gamma"])
def test_a_renamed_parameter_that_mindspore_does_not_decay(name: str) -> None:
    w = np.ones(3)
    optimizer = MindSporeAdagrad({"w": w}, weight_decay=0.5)
    optimizer.step([np.zeros(3)])
    assert (w != 1).all()
    before = w.copy()
    optimizer.param_groups[0]["param_names"][0] = name
    optimizer.step([np.zeros(3)])
    assert_same_bits(w, before, "the parameter")


def test_changed_groups_save_and_load(dialect: Dialect, tmp_path: Path) -> None:
    """A group whose parameters have moved into another one, and keys of the user's own, which stay."""
    optimizer = dialect.make([{"params": {"v": normal(4)}}, {"params": {"w": normal(6)}}])
    first, second = optimizer.param_groups
    for key in ("params", "param_names"):
        second[key].append(first[key].pop())
    second["tag"] = "mine"
    optimizer.step([normal(6), normal(4)])
    optimizer.save(tmp_path / "a", parameters=True)
    saved = snapshot(optimizer)
    optimizer.step([normal(6), normal(4)])
    optimizer.load(tmp_path / "a", parameters=True)
    assert snapshot(optimizer) == saved
    assert optimizer.param_groups[1]["tag"] == "mine"
