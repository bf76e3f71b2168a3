"""The errors of from_mindspore and to_mindspore, which change nothing."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from helpers.mindspore_arrays import TableSchedule, parameter
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, from_mindspore, to_mindspore


@pytest.mark.parametrize(
    "value", [[], MindSporeAdagrad([np.ones(2)]), nn.SGD([parameter("w", np.ones(2, np.float32))])]
)
def test_only_an_adagrad_of_mindspore_is_taken(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^optimizer: expected a mindspore\.nn\.Adagrad, got "):
        from_mindspore(value)
    with pytest.raises(TypeError, match=r"^optimizer: expected a mindspore\.nn\.Adagrad, got "):
        to_mindspore(MindSporeAdagrad([np.ones(2)]), value)


def ours_of(names: Sequence[str] = ("a", "b"), **options: Any) -> MindSporeAdagrad:
    shapes = [(3,), (2,)]
    params = {name: np.full(shape, 5, np.float32) for name, shape in zip(names, shapes, strict=True)}
    return MindSporeAdagrad(params, **options)


def theirs_of(
    *shapes: tuple[int, ...], names: Sequence[str] = ("a", "b"), dtype: str = "float32", **options: Any
) -> Any:
    shapes = shapes or ((3,), (2,))
    return nn.Adagrad([parameter(name, np.ones(s, dtype)) for name, s in zip(names, shapes, strict=True)], **options)


ERRORS: dict[str, tuple[dict[str, Any], Callable[[], Any], type[Exception], str]] = {
    "names": ({}, lambda: theirs_of(names=("b", "a")), ValueError, "names: expected ['a', 'b'], got ['b', 'a']"),
    "shape": ({}, lambda: theirs_of((3,), (3,)), ValueError, "b: expected shape (2,), got (3,)"),
    "dtype": ({}, lambda: theirs_of(dtype="float16"), TypeError, "a: expected dtype float32, got float16"),
    "loss_scale": ({"loss_scale": 2.0}, theirs_of, ValueError, "loss_scale: expected 2.0, got 1.0"),
    "update_slots": ({"update_slots": False}, theirs_of, ValueError, "update_slots: expected False, got True"),
    "weight_decay": (
        {"weight_decay": 0.5},
        lambda: theirs_of(weight_decay=0.25),
        ValueError,
        "weight_decay * loss_scale of 'a': expected 0.5, got 0.25",
    ),
    "decay that is a schedule": (
        {"weight_decay": lambda step: 0.5},
        theirs_of,
        ValueError,
        "weight_decay * loss_scale of 'a': expected a schedule, got 0.0",
    ),
    "rate that is a schedule": (
        {"learning_rate": lambda step: 0.5},
        theirs_of,
        ValueError,
        "learning_rate of 'a': expected a schedule, got a fixed rate",
    ),
    "rate that is none": (
        {},
        lambda: theirs_of(learning_rate=TableSchedule(np.ones(9, np.float32))),
        ValueError,
        "learning_rate of 'a': expected a fixed rate, got a schedule",
    ),
    "list of rates": (
        {"learning_rate": [0.5, 0.25]},
        lambda: theirs_of(learning_rate=[0.5, 0.25, 0.1]),
        ValueError,
        "learning_rate: expected shape (2,), got (3,)",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_of_to_mindspore(case: str) -> None:
    options, make, kind, message = ERRORS[case]
    optimizer = make()
    with pytest.raises(kind) as caught:
        to_mindspore(ours_of(**options), optimizer)
    assert message in str(caught.value)
    assert all(np.all(param.asnumpy() == 1) for param in optimizer.parameters)
    assert int(optimizer.global_step.asnumpy()[0]) == 0


def test_groups_are_not_written_where_there_are_none() -> None:
    grouped_ours = MindSporeAdagrad([{"params": {"a": np.ones(3, np.float32), "b": np.ones(2, np.float32)}}])
    with pytest.raises(ValueError, match=r"^groups: expected True, got False$"):
        to_mindspore(grouped_ours, theirs_of())


def test_means_that_only_one_of_them_takes() -> None:
    params = {"w": np.ones((2, 16), np.float32)}
    ours = MindSporeAdagrad([{"params": params, "grad_centralization": False}])
    group = {"params": [parameter("w", np.full((2, 16), 5, np.float32))], "grad_centralization": True}
    theirs = nn.Adagrad([group])
    with pytest.raises(ValueError, match=r"^grad_centralization of 'w': expected False, got True$"):
        to_mindspore(ours, theirs)
    assert (theirs.parameters[0].asnumpy() == 5).all()
    continued = from_mindspore(theirs)
    assert continued.param_groups[0]["grad_centralization"] is True
    to_mindspore(continued, theirs)


def test_only_our_own_mindspore_rule_is_written() -> None:
    other: Any = "opt"
    with pytest.raises(TypeError, match=r"^opt: expected a numpy_adagrad\.MindSporeAdagrad, got builtins\.str$"):
        to_mindspore(other, theirs_of())
