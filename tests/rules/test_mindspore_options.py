"""The constructor of MindSporeAdagrad beside that of MindSpore: its errors and the forms of its arguments."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import error_of, raises
from helpers.mindspore_arrays import parameter
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad
from numpy_adagrad.inputs.types import Array, Group

ONES = np.ones(3, np.float32)


Make: TypeAlias = Callable[[], Any]
"""Makes one parameter after another."""


def array(name: str = "w") -> tuple[str, Array]:
    return name, ONES.copy()


IN_THE_SAME_WORDS = [
    *({"accum": value} for value in (1, True, "1", None, -1.0, float("nan"), float("inf"))),
    *({"learning_rate": value} for value in (-0.1, -1, float("nan"), float("inf"))),
    *({"update_slots": value} for value in (1, None)),
    *({"loss_scale": value} for value in (0.0, -1.0, "1", float("nan"), float("inf"))),
    *({"weight_decay": value} for value in (-1.0, float("nan"), float("inf"))),
]


@pytest.mark.parametrize("arguments", IN_THE_SAME_WORDS, ids=str)
def test_mistakes_that_mindspore_names_in_the_same_words(arguments: dict[str, Any]) -> None:
    expected = error_of(lambda: nn.Adagrad([parameter(*array())], **arguments))
    assert error_of(lambda: MindSporeAdagrad([array()], **arguments)) == expected


NUMBER = "expected a number or a 1-element array, got"
RATE = "learning_rate: expected a number, a sequence, a 1-dimensional array or a callable, got"
IN_OTHER_WORDS = [
    ({"learning_rate": None}, TypeError, f"{RATE} NoneType"),
    ({"learning_rate": "0.1"}, ValueError, f"{RATE} '0.1'"),
    ({"loss_scale": None}, TypeError, f"loss_scale: {NUMBER} NoneType"),
    ({"weight_decay": "0.1"}, TypeError, f"weight_decay: {NUMBER} str"),
    ({"weight_decay": None}, TypeError, f"weight_decay: {NUMBER} NoneType"),
    ({"weight_decay": [0.1]}, TypeError, f"weight_decay: {NUMBER} list"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), IN_OTHER_WORDS, ids=[text for *_, text in IN_OTHER_WORDS])
def test_mistakes_of_the_same_kind(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    raises(error, message, lambda: MindSporeAdagrad([array()], **arguments))
    assert error_of(lambda: nn.Adagrad([parameter(*array())], **arguments))[0] is error


UNKNOWN = "MindSporeAdagrad got an unexpected argument"
OURS = [
    ({"lr": 0.1}, TypeError, f"{UNKNOWN} 'lr'; MindSpore calls it learning_rate"),
    ({"initial_accumulator_value": 0.1}, TypeError, f"{UNKNOWN} 'initial_accumulator_value'; MindSpore calls it accum"),
    (
        {"eps": 1e-10},
        TypeError,
        f"{UNKNOWN} 'eps'; MindSpore has no such option: its epsilon is fixed at 1e-8, under the root",
    ),
    (
        {"lr_decay": 0.1},
        TypeError,
        f"{UNKNOWN} 'lr_decay'; MindSpore has no such option: give learning_rate as a callable or a list",
    ),
    ({"momentum": 0.1}, TypeError, f"{UNKNOWN} 'momentum'"),
    (
        {"learning_rate": np.ones((2, 2))},
        ValueError,
        "learning_rate: expected an array of 0 or 1 dimensions, got 2",
    ),
    ({"learning_rate": [1j]}, TypeError, f"learning_rate[0]: {NUMBER} complex"),
    (
        {"update_slots": np.True_},
        TypeError,
        f"For 'Adagrad', the type of 'update_slots' should be 'bool', but got type 'numpy.{np.bool_.__name__}'.",
    ),
]


@pytest.mark.parametrize(("arguments", "error", "message"), OURS, ids=[text for *_, text in OURS])
def test_errors_that_mindspore_does_not_have(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    raises(error, message, lambda: MindSporeAdagrad([array()], **arguments))


def same_groups(make: Make) -> list[Group]:
    w = make()
    return [{"params": [w]}, {"params": [w]}]


MIXED = "params: expected groups only or arrays only, got some of each"
NO_PARAMS = "param_groups: expected groups with an entry 'params', got the keys ['lr']"
ONE_ORDER = "order_params: expected one group with that key alone, got"
# Made of the parameters that `make()` returns, in our form and in MindSpore's.
PARAMS: list[tuple[Callable[[Make], Any], type[Exception], str]] = [
    (lambda make: None, ValueError, "params: expected arrays, got None"),
    (lambda make: 1, TypeError, "params: expected an array, a mapping, or a sequence of arrays, got int"),
    (lambda make: [], ValueError, "params: expected at least one array, got none"),
    (lambda make: [make(), {"params": [make()]}], TypeError, MIXED),
    (lambda make: [{"params": [make()]}, make()], TypeError, MIXED),
    (lambda make: [{"lr": 0.1}], KeyError, repr(NO_PARAMS)),
    (
        lambda make: [{"params": [make()], "lr": [0.1, 0.2]}, {"params": [make()], "lr": [0.1]}],
        ValueError,
        "learning_rate: expected sequences of one length, got [1, 2]",
    ),
    (
        lambda make: [{"params": [make()]}, {"order_params": [make()], "lr": 0.1}],
        ValueError,
        f"{ONE_ORDER} the keys ['lr', 'order_params']",
    ),
    (
        lambda make: [{"params": [make()]}, {"order_params": 1}],
        TypeError,
        "order_params: expected an array, a mapping, or a sequence of arrays, got int",
    ),
    (
        lambda make: [{"params": [make()]}, {"order_params": [make(), make()]}],
        ValueError,
        "order_params: expected every parameter exactly once, 1 in all, got 2 entries",
    ),
    (
        lambda make: [{"params": [make()]}, {"order_params": [make()]}],
        ValueError,
        "order_params[0]: expected a parameter of the groups, got another array",
    ),
    (lambda make: [{"params": [1]}], TypeError, "params[0] ('param0'): expected a NumPy array, got int"),
]  # fmt: skip


def numbered(make: Callable[[str, Array], Any]) -> Make:
    names = iter("abcdef")
    return lambda: make(*array(next(names)))


@pytest.mark.parametrize(("make_params", "error", "message"), PARAMS, ids=[text for *_, text in PARAMS])
def test_params(make_params: Callable[[Make], Any], error: type[Exception], message: str) -> None:
    ours = make_params(numbered(lambda name, values: (name, values)))
    assert error_of(lambda: MindSporeAdagrad(ours)) == (error, message)
    assert error_of(lambda: nn.Adagrad(make_params(numbered(parameter))))[0] is error


def test_names_that_are_not_hashable() -> None:
    names: Any = [[]]
    group = {"params": [np.ones(1)], "param_names": names}
    raises(TypeError, "params: expected names of type str, got []", lambda: MindSporeAdagrad([group]))


def test_order_params_twice() -> None:
    a = array("a")
    order = {"order_params": [a]}
    raises(ValueError, f"{ONE_ORDER} 2 of them", lambda: MindSporeAdagrad([{"params": [a]}, order, order]))


def test_a_parameter_twice_in_the_order() -> None:
    a, b = ONES.copy(), ONES.copy()
    message = "order_params[1]: expected each parameter once, got one a second time"
    raises(ValueError, message, lambda: MindSporeAdagrad([{"params": [a, b]}, {"order_params": [a, a]}]))


def test_positions_of_the_arguments() -> None:
    """As in MindSpore the second one is the accumulator's start."""
    optimizer = MindSporeAdagrad([ONES.copy()], 0.5, 0.25, False, 2.0, 0.125)
    assert_same_bits(optimizer.state[0]["accum"], np.full(3, 0.5, np.float32))
    group = optimizer.param_groups[0]
    assert (group["lr"], optimizer.update_slots, optimizer.loss_scale, group["weight_decay"]) == (
        0.25,
        False,
        2.0,
        0.125,
    )


def test_generator_of_groups() -> None:
    optimizer = MindSporeAdagrad({"params": [np.ones(2)], "lr": rate} for rate in (0.1, 0.2))
    optimizer.add_param_group({"params": [np.ones(2)], "lr": 0.3})
    assert [group["lr_name"][-1] for group in optimizer.param_groups] == ["0", "1", "2"]


@pytest.mark.parametrize("option", ["accum", "update_slots", "loss_scale"])
def test_fixed_options_cannot_be_set(option: str) -> None:
    with pytest.raises(AttributeError):
        setattr(MindSporeAdagrad([ONES.copy()]), option, 1)
