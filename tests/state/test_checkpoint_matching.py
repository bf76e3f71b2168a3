"""Which array of a checkpoint goes to which parameter: by name where both sides have names, else by flat index."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.errors import raises_unchanged
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

NAMES = ["a", "b", "c", "d"]
LAYOUT = [["a", "b"], ["c", "d"]]


def numbered() -> dict[str, np.ndarray]:
    """Arrays of one shape, so that only their values show where they went."""
    return {name: np.full((2, 2), i + 1.0) for i, name in enumerate(NAMES)}


def blank(names: list[str]) -> dict[str, np.ndarray]:
    return {name: np.zeros((2, 2)) for name in names}


def grouped(values: dict[str, np.ndarray], layout: list[list[str]], **options: list[Any]) -> list[dict[str, Any]]:
    """Groups of these names, each with its own value of each option."""
    groups = [{key: values[k] for key, values in options.items()} for k in range(len(layout))]
    return [
        {"params": {name: values[name] for name in names}, **group} for names, group in zip(layout, groups, strict=True)
    ]


def stepped(optimizer: Any) -> Any:
    optimizer.step([param.copy() for group in optimizer.param_groups for param in group["params"]])
    return optimizer


@pytest.mark.parametrize("names_there", [False, True])
@pytest.mark.parametrize("names_here", [False, True])
def test_by_name_in_any_order_or_by_flat_index(
    names_there: bool, names_here: bool, dialect: Dialect, tmp_path: Path
) -> None:
    values, own = numbered(), blank(["c", "a", "d", "b"] if names_there and names_here else NAMES)
    saved = stepped(dialect.make(values if names_there else list(values.values())))
    loaded = dialect.make(own if names_here else list(own.values()))
    names = list(loaded.names)
    saved.save(tmp_path / "a", parameters=True)
    loaded.load(tmp_path / "a", parameters=True)
    assert loaded.names == names
    for i, name in enumerate(own):
        assert_same_bits(own[name], values[name], name)
        for key, array in loaded.state[i].items():
            assert_same_bits(array, saved.state[NAMES.index(name)][key], f"{key} of {name}")


def test_groups_are_matched_by_their_names(dialect: Dialect, tmp_path: Path) -> None:
    rate, values, own = dialect.group_rate, numbered(), blank(NAMES)
    saved = dialect.make(grouped(values, [["a", "b"], ["c"], ["d"]], **{rate: [0.1, 0.2, 0.3]}))
    stepped(saved).save(tmp_path / "a", parameters=True)
    loaded = dialect.make(grouped(own, [["d"], ["b", "a"], ["c"]], **{rate: [9.0] * 3}))
    loaded.load(tmp_path / "a", parameters=True)
    assert [group[rate] for group in loaded.param_groups] == [0.3, 0.1, 0.2]
    assert_same_bits(own["b"], values["b"])


def test_empty_groups_keep_their_order(tmp_path: Path) -> None:
    def made(*rates: float) -> TorchAdagrad:
        empty: list[dict[str, Any]] = [{"params": {}, "lr": rate} for rate in rates]
        return TorchAdagrad([empty[0], {"params": numbered()}, empty[1]])

    made(0.1, 0.2).save(tmp_path / "a")
    loaded = made(9.0, 9.0)
    loaded.load(tmp_path / "a")
    assert [group["lr"] for group in loaded.param_groups] == [0.1, 0.01, 0.2]


def test_automatic_names_number_the_parameters_as_given(tmp_path: Path) -> None:
    """`order_params` changes their order and not their names."""

    def made(values: list[np.ndarray], order: list[int]) -> MindSporeAdagrad:
        return MindSporeAdagrad([{"params": values}, {"order_params": [values[i] for i in order]}])

    values, own = list(numbered().values()), list(blank(NAMES).values())
    saved = stepped(made(values, [3, 1, 0, 2]))
    assert saved.names == ["param3", "param1", "param0", "param2"]
    saved.save(tmp_path / "a", parameters=True)
    made(own, [0, 1, 2, 3]).load(tmp_path / "a", parameters=True)
    for array, expected in zip(own, values, strict=True):
        assert_same_bits(array, expected)


def test_each_group_keeps_its_rate_where_groups_share_a_rate_name(tmp_path: Path) -> None:
    saved, loaded = (MindSporeAdagrad(grouped(numbered(), LAYOUT)) for _ in range(2))
    saved.param_groups[0]["lr"] = 0.7
    saved.save(tmp_path / "a")
    loaded.load(tmp_path / "a")
    assert contents(loaded) == contents(saved)
    assert [group["lr"] for group in loaded.param_groups] == [0.7, 0.001]


MISMATCHES: list[tuple[Any, Any, str]] = [
    (NAMES, NAMES[:3], "params: expected the names of the parameters here, got 'd'"),
    (NAMES, [*NAMES, "e"], "params: expected one named 'e', got none"),
    (NAMES, [*NAMES[:3], "e"], "params: expected one named 'e', got none"),
    (4, 3, "groups: expected [3] parameters, got [4]"),
    (LAYOUT, [1, 3], "groups: expected [1, 3] parameters, got [2, 2]"),
    (NAMES, LAYOUT, "groups: expected 2, got 1"),
    (LAYOUT, [["a"], ["b", "c", "d"]], "groups: expected one with the names of group 0 here, ['a'], got none"),
]


def params(layout: Any) -> Any:
    """Parameters by their number, their names, or the numbers or names in each group."""
    if isinstance(layout, int):
        return [np.zeros((2, 2)) for _ in range(layout)]
    return blank(layout) if isinstance(layout[0], str) else [{"params": params(group)} for group in layout]


@pytest.mark.parametrize(("there", "here", "message"), MISMATCHES)
def test_mismatches(dialect: Dialect, there: Any, here: Any, message: str, tmp_path: Path) -> None:
    path, loaded = tmp_path / "a", stepped(dialect.make(params(here)))
    dialect.make(params(there)).save(path, parameters=True)
    raises_unchanged(loaded, ValueError, f"{path}: {message}", lambda: loaded.load(path, parameters=True))


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("rule", "label"), [(TorchAdagrad, "state[1]['sum']"), (MindSporeAdagrad, "accum.{}")])
def test_shapes_must_be_equal(rule: Any, label: str, named: bool, tmp_path: Path) -> None:
    there, here = ({"a": np.ones(3), "b": np.ones(shape)} for shape in ((2, 3), 6))
    path = tmp_path / "a"
    rule(there if named else list(there.values())).save(path, parameters=True)
    loaded = stepped(rule(here if named else list(here.values())))
    message = f"{path}: {label.format('b' if named else 'param1')}: expected shape (6,), got (2, 3)"
    raises_unchanged(loaded, ValueError, message, lambda: loaded.load(path, parameters=True))
