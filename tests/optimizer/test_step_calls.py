"""How a step is called: forms of gradients, closures, options. A call with an error changes nothing."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.errors import raises_unchanged
from helpers.two_groups import gradients, start
from helpers.values import ones
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.gradients import Grads
from numpy_adagrad.inputs.types import Array

EITHER = "step: expected either grads or closure, got "
FORM = "grads: expected arrays in the form of the parameters, got "
PAIR = "a pair of a number and gradients; give the gradients alone, or closure=lambda: (loss, grads)"
COUNT = "grads: expected 2, one for each parameter, got "
# Calls of an optimizer of the parameters w and b, which have both the shape (3,).
CALLS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "nothing": ({}, TypeError, f"{EITHER}neither"),
    "both": ({"grads": [None, None], "closure": lambda: (0, [])}, TypeError, f"{EITHER}both"),
    "bare": (
        {"grads": ones()},
        TypeError,
        "grads: expected a sequence with an array for each parameter, got one array",
    ),
    "number": ({"grads": 1.0}, TypeError, FORM + "float"),
    "text": ({"grads": "wb"}, TypeError, FORM + "str"),
    "set": ({"grads": {1.0}}, TypeError, FORM + "set"),
    "too_few": ({"grads": [ones()]}, ValueError, COUNT + "1"),
    "none": ({"grads": []}, ValueError, COUNT + "0"),
    "too_many": ({"grads": [None] * 3}, ValueError, COUNT + "3"),
    "a loss and gradients": ({"grads": (0.5, [ones(), ones()])}, TypeError, FORM + PAIR),
    "a loss and names": ({"grads": (np.float32(1), {"w": ones(), "b": ones()})}, TypeError, FORM + PAIR),
    "a loss in a list": ({"grads": [np.array(0.5), [ones(), ones()]]}, TypeError, FORM + PAIR),
    "groups": (
        {"grads": [{"params": [ones()]}, {"params": [ones()]}]},
        TypeError,
        "grads: expected an array for each parameter, flat over all groups, got groups",
    ),
    "no_closure": ({"closure": "x"}, TypeError, "closure: expected a callable, got str"),
    "from_a_closure": ({"closure": lambda: (0.5, [ones()])}, ValueError, COUNT + "1"),
}


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("arguments", "error", "message"), CALLS.values(), ids=CALLS)
def test_wrong_calls(
    dialect: Dialect, arguments: dict[str, Any], error: type[Exception], message: str, named: bool
) -> None:
    optimizer = dialect.optimizer({"w": ones(), "b": ones()} if named else [ones(), ones()])
    raises_unchanged(optimizer, error, message, lambda: optimizer.step(**arguments))


def test_a_loss_and_one_gradient(dialect: Dialect) -> None:
    optimizer = dialect.optimizer(ones())
    raises_unchanged(optimizer, TypeError, FORM + PAIR, lambda: optimizer.step((0.5, ones())))
    message = "grads: expected 1, one for each parameter, got 2"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step((0.5, 0.25)))


def test_as_many_gradients_of_other_names(dialect: Dialect) -> None:
    optimizer = dialect.optimizer({"w": ones(), "b": ones()})
    message = "grads: expected one for each parameter (None for no gradient), got none for 'w', but one for 'u'"
    raises_unchanged(optimizer, KeyError, message, lambda: optimizer.step({"u": ones(), "v": ones()}))


def test_a_layer_called_params() -> None:
    optimizer = TorchAdagrad([{"params": [{"params": ones()}, {"params": ones()}]}])
    optimizer.step([{"params": ones()}, {"params": None}])
    assert optimizer.names == ["0.params", "1.params"]
    assert [slot["step"].item() for slot in map(optimizer.state.__getitem__, (0, 1))] == [1, 0]


def test_a_number_and_a_layer_may_be_parameters(dialect: Dialect) -> None:
    scale, w = np.ones(()), ones()
    dialect.optimizer([scale, {"w": w}]).step((np.float64(1), {"w": ones()}))
    assert scale < 1
    assert (w < 1).all()


SCALE = "grad_scale: expected a positive number within float32, got "
LIMIT = "max_norm: expected a number of at least 0, got "
ONE_NUMBER = ": expected a number or a 1-element array, got "
NONFINITE = "on_nonfinite: expected one of ('propagate', 'skip', 'raise'), got "
ARRAY = "grad_scale: expected a number, got an array of shape "
OPTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no_text": ({"on_nonfinite": None}, ValueError, NONFINITE + "None"),
    "an_array": (
        {"on_nonfinite": np.array(["skip", "raise"])},
        ValueError,
        NONFINITE + "array(['skip', 'raise'], dtype='<U5')",
    ),
    "no_scale": ({"grad_scale": 0}, ValueError, SCALE + "0"),
    "negative_scale": ({"grad_scale": -2.0}, ValueError, SCALE + "-2.0"),
    "nan_scale": ({"grad_scale": np.nan}, ValueError, SCALE + "nan"),
    "infinite_scale": ({"grad_scale": np.inf}, ValueError, SCALE + "inf"),
    "scale_beyond_float32": ({"grad_scale": 1e39}, ValueError, SCALE + "1e+39"),
    "scale_below_float32": ({"grad_scale": 1e-46}, ValueError, SCALE + "1e-46"),
    "tiny_scale": ({"grad_scale": 1e-60}, ValueError, SCALE + "1e-60"),
    "text_scale": ({"grad_scale": "2"}, TypeError, "grad_scale" + ONE_NUMBER + "str"),
    "scales": ({"grad_scale": np.ones(2)}, TypeError, ARRAY + "(2,) and dtype float64"),
    "complex_scale": ({"grad_scale": np.array(1j)}, TypeError, ARRAY + "() and dtype complex128"),
    "negative_norm": ({"max_norm": -0.5}, ValueError, LIMIT + "-0.5"),
    "negative_whole_norm": ({"max_norm": -1}, ValueError, LIMIT + "-1"),
    "nan_norm": ({"max_norm": np.float32("nan")}, ValueError, LIMIT + "nan"),
    "text_norm": ({"max_norm": "inf"}, TypeError, "max_norm" + ONE_NUMBER + "str"),
    "list_norm": ({"max_norm": [1.0]}, TypeError, "max_norm" + ONE_NUMBER + "list"),
    "nonfinite": ({"on_nonfinite": "ignore"}, ValueError, NONFINITE + "'ignore'"),
    "nonfinite_none": ({"on_nonfinite": None}, ValueError, NONFINITE + "None"),
}


@pytest.mark.parametrize(("options", "error", "message"), OPTIONS.values(), ids=OPTIONS)
def test_wrong_options(dialect: Dialect, options: dict[str, Any], error: type[Exception], message: str) -> None:
    optimizer, _ = start(dialect)
    grads = gradients()
    raises_unchanged(optimizer, error, message, lambda: optimizer.step(grads, **options), grads=grads)


def test_mapping_for_parameters_without_names(dialect: Dialect) -> None:
    """Where the rule gives them names, gradients may have these."""
    optimizer = dialect.optimizer([ones()])
    if optimizer.names:
        optimizer.step({"param0": ones()})
        assert (optimizer.param_groups[0]["params"][0] < 1).all()
        return
    message = "grads: expected a sequence, as the parameters have no names, got a mapping"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step({"param0": ones()}))


@pytest.mark.parametrize("form", [dict, list])
def test_names_of_gradients(dialect: Dialect, form: Callable[[Iterable[tuple[str, Array | None]]], Grads]) -> None:
    optimizer = dialect.optimizer({"a": ones(), "b": ones(2)})
    for pairs, message in (
        ([("a", ones())], "grads: expected one for each parameter (None for no gradient), got none for 'b'"),
        ([("a", ones()), ("b", None), ("c", ones())], "grads: expected the names of the parameters, got 'c'"),
    ):
        raises_unchanged(optimizer, KeyError, message, partial(optimizer.step, form(pairs)))
    optimizer.step(form([("b", None), ("a", ones())]))
    a, b = optimizer.param_groups[0]["params"]
    assert_same_bits(b, ones(2))
    assert np.all(a < 1)
    optimizer.step([None, ones(2)])
    assert np.all(b < 1)


def test_a_name_twice_among_pairs(dialect: Dialect) -> None:
    optimizer = dialect.optimizer({"a": ones(), "b": ones(2)})
    pairs = [("a", ones()), ("a", ones()), ("b", ones(2))]
    message = "grads: expected unique names, got 'a' twice"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step(pairs))


def test_a_call_is_a_step(dialect: Dialect) -> None:
    called, stepped = dialect.optimizer([ones()]), dialect.optimizer([ones()])
    assert called([ones()], max_norm=0.5) is None
    stepped.step([ones()], max_norm=0.5)
    assert contents(called) == contents(stepped)


def test_closures(dialect: Dialect) -> None:
    optimizer, reference = dialect.optimizer([ones(), ones(2)]), dialect.optimizer([ones(), ones(2)])
    loss = object()
    assert optimizer.step(closure=lambda: (loss, [ones(), None])) is loss
    assert optimizer(closure=lambda: (None, iter([ones(), ones(2)])), grad_scale=2.0) is None
    reference.step([ones(), None])
    reference.step([ones(), ones(2)], grad_scale=2.0)
    assert contents(optimizer) == contents(reference)


def test_a_closure_that_fails(dialect: Dialect) -> None:
    optimizer, _ = start(dialect)

    def closure() -> tuple[int, list[Array]]:
        raise ZeroDivisionError("in the closure")

    raises_unchanged(optimizer, ZeroDivisionError, "in the closure", lambda: optimizer.step(closure=closure))
    optimizer.step(gradients())
