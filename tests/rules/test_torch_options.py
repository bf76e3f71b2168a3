"""The constructor of TorchAdagrad beside that of torch: its errors, their order, the forms of its arguments."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.errors import error_of, raises
from helpers.torch_arrays import to_torch
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array

ONES = np.ones(3, np.float32)

# One mistake for each check, in torch's words. `params` and `lr` are made for the side they are given to.
MISTAKES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "rate of two elements": ({"lr": np.ones(2)}, ValueError, "Tensor lr must be 1-element"),
    "rate of a tensor of two elements": ({"lr": torch.tensor([0.1, 0.2])}, ValueError, "Tensor lr must be 1-element"),
    "negative rate": ({"lr": -1.0}, ValueError, "Invalid learning rate: -1.0"),
    "rate that is no number": ({"lr": float("nan")}, ValueError, "Invalid learning rate: nan"),
    "negative lr_decay": ({"lr_decay": -1}, ValueError, "Invalid lr_decay value: -1"),
    "negative weight_decay": ({"weight_decay": -0.5}, ValueError, "Invalid weight_decay value: -0.5"),
    "negative start": (
        {"initial_accumulator_value": -2.0},
        ValueError,
        "Invalid initial_accumulator_value value: -2.0",
    ),
    "negative eps": ({"eps": -1e-3}, ValueError, "Invalid epsilon value: -0.001"),
    "no parameters": ({"params": []}, ValueError, "optimizer got an empty parameter list"),
    "fused and differentiable": (
        {"fused": True, "differentiable": True},
        RuntimeError,
        "`fused` does not support `differentiable`",
    ),
    "fused and foreach": (
        {"fused": True, "foreach": True},
        RuntimeError,
        "`fused` and `foreach` cannot be `True` together.",
    ),
}
pairs_of_mistakes = pytest.mark.parametrize(
    ("one", "other"), [*zip(MISTAKES, MISTAKES, strict=True), *itertools.combinations(MISTAKES, 2)]
)


def for_torch(value: Any) -> Any:
    if isinstance(value, list):
        return [for_torch(item) for item in value]
    return to_torch(value) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str) -> None:
    arguments, error, message = MISTAKES[name]
    raises(error, message, lambda: TorchAdagrad(**{"params": [ONES], **arguments}))


@pairs_of_mistakes
def test_of_two_mistakes_torch_names_the_same(one: str, other: str) -> None:
    arguments = {"params": [ONES], **MISTAKES[one][0], **MISTAKES[other][0]}
    theirs = {name: for_torch(value) for name, value in arguments.items()}
    assert error_of(lambda: TorchAdagrad(**arguments)) == error_of(lambda: torch.optim.Adagrad(**theirs))


def test_a_negative_rate_in_an_array_is_shown_as_its_value() -> None:
    raises(ValueError, "Invalid learning rate: -1.0", lambda: TorchAdagrad([ONES], lr=np.array(-1.0)))


NUMBERS = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
TEXT = "expected a number or a 1-element array, got"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(("value", "text"), [("0.1", f"{TEXT} str"), (None, f"{TEXT} NoneType")])
def test_numbers_must_be_numbers(name: str, value: Any, text: str) -> None:
    raises(TypeError, f"{name}: {text}", lambda: TorchAdagrad([ONES], **{name: value}))
    with pytest.raises(TypeError):
        torch.optim.Adagrad([for_torch(ONES)], **{name: value})


MIXED = "params: expected groups only or arrays only, got some of each"
PARAMS: dict[str, tuple[Any, type[Exception], str]] = {
    "none": (None, TypeError, "params: expected an array, a mapping, or a sequence of arrays, got NoneType"),
    "group_and_array": ([{"params": [ONES]}, ONES.copy()], TypeError, MIXED),
    "empty_mapping": ({}, ValueError, "optimizer got an empty parameter list"),
}


@pytest.mark.parametrize(("params", "error", "message"), PARAMS.values(), ids=PARAMS)
def test_params(params: Any, error: type[Exception], message: str) -> None:
    """The errors that all rules share are in optimizer/test_groups.py."""
    raises(error, message, lambda: TorchAdagrad(params))


OURS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "foreach": (
        {"foreach": True},
        ValueError,
        "foreach: expected None or False, as the path is the fused one, got True",
    ),
    "differentiable": (
        {"differentiable": True},
        ValueError,
        "differentiable: expected False, as the path is the fused one, got True",
    ),
    "unknown": (
        {"learning_rate": 0.1},
        TypeError,
        "TorchAdagrad got an unexpected argument 'learning_rate'; torch calls it lr",
    ),
}


@pytest.mark.parametrize(("arguments", "error", "message"), OURS.values(), ids=OURS)
def test_errors_that_torch_does_not_have(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    raises(error, message, lambda: TorchAdagrad([ONES], **arguments))


FORMS: dict[str, Callable[[Array, Array], Any]] = {
    "array": lambda a, b: a,
    "list": lambda a, b: [a, b],
    "tuple": lambda a, b: (a, b),
    "generator": lambda a, b: (array for array in (a, b)),
    "mapping": lambda a, b: {"a": a, "b": b},
    "pairs": lambda a, b: [("a", a), ("b", b)],
    "generator of pairs": lambda a, b: (pair for pair in (("a", a), ("b", b))),
    "groups": lambda a, b: [{"params": [a]}, {"params": (b,)}],
    "groups of one array": lambda a, b: ({"params": a}, {"params": b}),
    "named groups": lambda a, b: [{"params": {"a": a}}, {"params": [("b", b)]}],
    "generator of groups": lambda a, b: ({"params": array} for array in (a, b)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", [1, -1])
def test_forms_of_params_and_gradients(form: str, order: int) -> None:
    """Gradients come in the form of the parameters; a mapping's order does not matter."""
    a, b = np.full(2, 3.0), np.full(3, 4.0)
    optimizer = TorchAdagrad(FORMS[form](a, b), lr=1.0, eps=0)
    flat: dict[str, Any] = {"array": np.ones(2), "generator": iter([np.ones(2), 2 * np.ones(3)])}
    named = {"a": np.ones(2), "b": 2 * np.ones(3)}
    named = dict(list(named.items())[::order])
    grads = flat.get(form, named if optimizer.names else [np.ones(2), 2 * np.ones(3)])
    optimizer.step(list(grads.items()) if "pairs" in form else grads)
    assert_same_bits(a, np.full(2, 2.0))
    assert_same_bits(b, np.full(3, 4.0 if form == "array" else 3.0))
    assert optimizer.names == (["a", "b"] if grads is named else [])


def test_unknown_keys_of_groups_are_kept() -> None:
    optimizer = TorchAdagrad([{"params": [ONES.copy()], "note": "first", "lr": -1.0}])
    before = contents(optimizer)
    assert (optimizer.param_groups[0]["note"], optimizer.param_groups[0]["lr"]) == ("first", -1.0)
    optimizer.load_state_dict(optimizer.state_dict())
    assert contents(optimizer) == before
