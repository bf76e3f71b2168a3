"""Which array of a checkpoint goes to which parameter: by name where both sides have names, else by place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.errors import RULES, refuses
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

NAMES = ["a", "b", "c", "d"]
each_rule = pytest.mark.parametrize("rule", RULES)


def arrays() -> dict[str, np.ndarray]:
    """Of one shape, so that only what they hold tells which went where."""
    return {name: np.full((2, 2), i + 1.0) for i, name in enumerate(NAMES)}


def stepped(optimizer: Any) -> Any:
    optimizer.step([param.copy() for group in optimizer.param_groups for param in group["params"]])
    return optimizer


def blank(names: list[str]) -> dict[str, np.ndarray]:
    return {name: np.zeros((2, 2)) for name in names}


@each_rule
def test_by_name_in_any_order(rule: Any, tmp_path: Path) -> None:
    saved = stepped(rule(arrays()))
    saved.save(tmp_path / "a", parameters=True)
    own = blank(["c", "a", "d", "b"])
    loaded = rule(own)
    loaded.load(tmp_path / "a", parameters=True)
    for i, name in enumerate(own):
        assert_same_bits(own[name], saved.param_groups[0]["params"][NAMES.index(name)], name)
        for role, array in loaded.state[i].items():
            assert_same_bits(array, saved.state[NAMES.index(name)][role], f"{role} of {name}")


def groups(values: dict[str, np.ndarray], layout: list[list[str]], **options: list[Any]) -> list[dict[str, Any]]:
    chosen = [{key: value[k] for key, value in options.items()} for k in range(len(layout))]
    return [
        {"params": {name: values[name] for name in names}, **own} for names, own in zip(layout, chosen, strict=True)
    ]


@each_rule
def test_groups_are_found_by_their_names(rule: Any, tmp_path: Path) -> None:
    made = groups(arrays(), [["a", "b"], ["c"], ["d"]], lr=[0.1, 0.2, 0.3], weight_decay=[0.01, 0.02, 0.03])
    saved = stepped(rule(made))
    saved.save(tmp_path / "a", parameters=True)
    loaded = rule(groups(blank(NAMES), [["d"], ["b", "a"], ["c"]], lr=[9.0] * 3))
    loaded.load(tmp_path / "a", parameters=True)
    assert [group["lr"] for group in loaded.param_groups] == [0.3, 0.1, 0.2]
    assert [group["weight_decay"] for group in loaded.param_groups] == [0.03, 0.01, 0.02]
    assert_same_bits(loaded.param_groups[1]["params"][0], saved.param_groups[0]["params"][1])


def test_empty_groups_keep_their_order(tmp_path: Path) -> None:
    def made(*rates: float) -> TorchAdagrad:
        empty: list[dict[str, Any]] = [{"params": {}, "lr": rate} for rate in rates]
        return TorchAdagrad([empty[0], {"params": arrays()}, empty[1]])

    made(0.1, 0.2).save(tmp_path / "a")
    loaded = made(9.0, 9.0)
    loaded.load(tmp_path / "a")
    assert [group["lr"] for group in loaded.param_groups] == [0.1, 0.01, 0.2]


@each_rule
@pytest.mark.parametrize(("there", "here"), [(True, False), (False, True), (False, False)])
def test_by_place_where_a_side_has_no_names(rule: Any, there: bool, here: bool, tmp_path: Path) -> None:
    values, own = arrays(), blank(NAMES)
    saved = stepped(rule(values if there else list(values.values())))
    saved.save(tmp_path / "a", parameters=True)
    loaded = rule(own if here else list(own.values()))
    names = list(loaded.names)
    loaded.load(tmp_path / "a", parameters=True)
    assert loaded.names == names
    for i, name in enumerate(NAMES):
        assert_same_bits(own[name], values[name], name)
        assert_same_bits(loaded.state[i][rule._accumulator], saved.state[i][rule._accumulator], name)


def test_automatic_names_stand_for_the_place_in_which_a_parameter_was_given(tmp_path: Path) -> None:
    """`order_params` changes the order in which they come, and not what they are."""

    def made(values: list[np.ndarray], order: list[int]) -> MindSporeAdagrad:
        return MindSporeAdagrad([{"params": values}, {"order_params": [values[i] for i in order]}])

    values, own = list(arrays().values()), list(blank(NAMES).values())
    saved = stepped(made(values, [3, 1, 0, 2]))
    assert saved.names == ["param3", "param1", "param0", "param2"]
    saved.save(tmp_path / "a", parameters=True)
    made(own, [0, 1, 2, 3]).load(tmp_path / "a", parameters=True)
    for array, expected in zip(own, values, strict=True):
        assert_same_bits(array, expected)


def test_rates_of_groups_that_share_a_name_come_back_each(tmp_path: Path) -> None:
    def made() -> MindSporeAdagrad:
        return MindSporeAdagrad(groups(arrays(), [["a", "b"], ["c", "d"]]))

    saved, loaded = made(), made()
    saved.param_groups[0]["lr"] = 0.7
    saved.save(tmp_path / "a")
    loaded.load(tmp_path / "a")
    assert contents(loaded) == contents(saved)
    assert [group["lr"] for group in loaded.param_groups] == [0.7, 0.001]


FOUR = arrays()
LAYOUT = [["a", "b"], ["c", "d"]]
MISMATCHES: list[tuple[str, Any, Callable[[], Any], str]] = [
    ("missing", FOUR, lambda: blank(NAMES[:3]), "params: expected the names of the parameters here, got 'd'"),
    ("more", FOUR, lambda: blank([*NAMES, "e"]), "params: expected one named 'e', got none"),
    ("renamed", FOUR, lambda: blank([*NAMES[:3], "e"]), "params: expected one named 'e', got none"),
    ("count", list(FOUR.values()), lambda: list(blank(NAMES[:3]).values()), "groups: expected [3] parameters, got [4]"),
    (
        "sizes",
        groups(FOUR, LAYOUT),
        lambda: [{"params": [np.zeros((2, 2))]}, {"params": list(blank(NAMES[:3]).values())}],
        "groups: expected [1, 3] parameters, got [2, 2]",
    ),
    ("number of groups", FOUR, lambda: groups(blank(NAMES), LAYOUT), "groups: expected 2, got 1"),
    (
        "regrouped",
        groups(FOUR, LAYOUT),
        lambda: groups(blank(NAMES), [["a"], ["b", "c", "d"]]),
        "groups: expected one with the names of group 0 here, ['a'], got none",
    ),
]


@each_rule
@pytest.mark.parametrize(
    ("there", "here", "message"), [case[1:] for case in MISMATCHES], ids=[c[0] for c in MISMATCHES]
)
def test_what_does_not_match(rule: Any, there: Any, here: Callable[[], Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    rule(there).save(path, parameters=True)
    loaded = stepped(rule(here()))
    before = contents(loaded)
    refuses(ValueError, f"{path}: {message}", lambda: loaded.load(path, parameters=True))
    assert contents(loaded) == before


@each_rule
@pytest.mark.parametrize("named", [False, True])
def test_shapes_must_be_equal(rule: Any, named: bool, tmp_path: Path) -> None:
    there, here = {"a": np.ones(3), "b": np.ones((2, 3))}, {"a": np.ones(3), "b": np.ones(6)}
    path = tmp_path / "a"
    rule(there if named else list(there.values())).save(path, parameters=True)
    loaded = stepped(rule(here if named else list(here.values())))
    before = contents(loaded)
    label = "state[1]['sum']" if rule is TorchAdagrad else f"accum.{loaded.names[1]}"
    message = f"{path}: {label}: expected shape (6,), got (2, 3)"
    refuses(ValueError, message, lambda: loaded.load(path, parameters=True))
    assert contents(loaded) == before
