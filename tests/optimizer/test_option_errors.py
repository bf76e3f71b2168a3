"""What is refused beside arrays: options of a step, and groups. Nothing has changed then."""

from typing import Any

import numpy as np
import pytest
from helpers.errors import RULES, Rule, refuses, zeros
from helpers.snapshots import gradients, start, unchanged
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Group

SCALE = "grad_scale: expected a positive number within float32, got "
LIMIT = "max_norm: expected a number of at least 0, got "
ONE_NUMBER = ": expected a number or a 1-element array, got "
NONFINITE = "on_nonfinite: expected one of ('propagate', 'skip', 'raise'), got "

STEP = {
    "no_scale": ({"grad_scale": 0}, ValueError, SCALE + "0"),
    "negative_scale": ({"grad_scale": -2.0}, ValueError, SCALE + "-2.0"),
    "nan_scale": ({"grad_scale": np.nan}, ValueError, SCALE + "nan"),
    "infinite_scale": ({"grad_scale": np.inf}, ValueError, SCALE + "inf"),
    "scale_beyond_float32": ({"grad_scale": 1e39}, ValueError, SCALE + "1e+39"),
    "scale_below_float32": ({"grad_scale": 1e-60}, ValueError, SCALE + "1e-60"),
    "text_scale": ({"grad_scale": "2"}, TypeError, "grad_scale" + ONE_NUMBER + "str"),
    "scales": (
        {"grad_scale": np.ones(2)},
        TypeError,
        "grad_scale: expected a number, got an array of shape (2,) and dtype float64",
    ),
    "complex_scale": (
        {"grad_scale": np.array(1j)},
        TypeError,
        "grad_scale: expected a number, got an array of shape () and dtype complex128",
    ),
    "negative_norm": ({"max_norm": -0.5}, ValueError, LIMIT + "-0.5"),
    "nan_norm": ({"max_norm": np.float32("nan")}, ValueError, LIMIT + "nan"),
    "text_norm": ({"max_norm": "inf"}, TypeError, "max_norm" + ONE_NUMBER + "str"),
    "list_norm": ({"max_norm": [1.0]}, TypeError, "max_norm" + ONE_NUMBER + "list"),
    "nonfinite": ({"on_nonfinite": "ignore"}, ValueError, NONFINITE + "'ignore'"),
    "nonfinite_none": ({"on_nonfinite": None}, ValueError, NONFINITE + "None"),
    "closure_too": ({"closure": lambda: (0.0, [])}, TypeError, "step: expected either grads or closure"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("options", "error", "message"), STEP.values(), ids=STEP)
def test_step(rule: Rule, options: dict[str, Any], error: type[Exception], message: str) -> None:
    opt, params = start(rule)
    grads = gradients()
    unchanged(opt, params, grads, error, message, lambda: opt.step(grads, **options))


@pytest.mark.parametrize("rule", RULES)
def test_step_of_nothing(rule: Rule) -> None:
    opt, params = start(rule)
    unchanged(opt, params, (), TypeError, "step: expected either grads or closure", opt.step)


# Hyper-parameters that a caller has put into a group are read by the next step.
IN_A_GROUP = {
    "lr": (TorchAdagrad, "lr", "0.1", "lr" + ONE_NUMBER + "str"),
    "lr_none": (TorchAdagrad, "lr", None, "lr" + ONE_NUMBER + "NoneType"),
    "lr_decay": (TorchAdagrad, "lr_decay", "0", "lr_decay: expected a number, got str"),
    "weight_decay": (TorchAdagrad, "weight_decay", [0], "weight_decay: expected a number, got list"),
    "eps": (TorchAdagrad, "eps", None, "eps: expected a number, got NoneType"),
    "mindspore_decay": (MindSporeAdagrad, "weight_decay", "0", "weight_decay" + ONE_NUMBER + "str"),
    "mindspore_lr": (
        MindSporeAdagrad,
        "lr",
        None,
        "learning_rate: expected a number, a sequence, a 1-dimensional array or a callable, got NoneType",
    ),
}


@pytest.mark.parametrize(("rule", "key", "value", "message"), IN_A_GROUP.values(), ids=IN_A_GROUP)
def test_value_in_a_group(rule: Rule, key: str, value: Any, message: str) -> None:
    opt, params = start(rule)
    opt.param_groups[1][key] = value
    grads = gradients()
    unchanged(opt, params, grads, TypeError, message, lambda: opt.step(grads))


def test_past_the_end_of_a_sequence_of_rates() -> None:
    opt, params = start(MindSporeAdagrad)
    opt.param_groups[1]["lr"] = [0.1]
    message = "learning_rate: expected a rate for global_step 1, got a sequence of 1"
    grads = gradients()
    unchanged(opt, params, grads, RuntimeError, message, lambda: opt.step(grads))


# Groups that neither an optimizer of its own nor `add_param_group` takes.
GROUPS = {
    "array": (RULES, {"params": {"f": [1.0]}}, TypeError, "params[{}] ('f'): expected a NumPy array, got list"),
    "dtype": (
        RULES,
        {"params": {"f": zeros(), "g": zeros(3, bool)}},
        TypeError,
        "params[{}] ('g'): expected a real or complex floating-point array of at most 64 bits a part, got bool",
    ),
    "overlap": (
        RULES,
        {"params": {"f": (shared := zeros(4))[2:], "g": shared[:3]}},
        ValueError,
        "params[{}] ('g'): expected its own memory, got an overlap with params[{}] ('f')",
    ),
    "same_name": (
        RULES,
        {"params": [("f", zeros()), ("f", zeros())]},
        ValueError,
        "params: expected unique names, got 'f' twice",
    ),
    "some_named": (
        RULES,
        {"params": [("f", zeros()), zeros()]},
        ValueError,
        "params: expected all with names or all without, got some of each",
    ),
    "set": (
        RULES,
        {"params": {1.0}},
        TypeError,
        "params: expected an ordered collection, got a set, whose order changes between runs",
    ),
    "number": (
        RULES,
        {"params": 1.0},
        TypeError,
        "params: expected an array, a mapping, or a sequence of arrays, got float",
    ),
    "accumulator": (
        RULES[:1],
        {"params": {"f": zeros()}, "initial_accumulator_value": 0.5},
        ValueError,
        "initial_accumulator_value: expected the constructor's in every group, 0, got 0.5",
    ),
    "foreach": (
        RULES[:1],
        {"params": {"f": zeros()}, "foreach": True},
        ValueError,
        "foreach: expected None, as the path is the fused one, got True",
    ),
    "unknown_key": (
        RULES[1:],
        {"params": {"f": zeros()}, "eps": 1e-8},
        KeyError,
        "group: expected keys among ['params', 'lr', 'weight_decay', 'grad_centralization'], got 'eps'",
    ),
    "negative_rate": (
        RULES[1:],
        {"params": {"f": zeros()}, "lr": -1.0},
        ValueError,
        "For 'Adagrad', the 'learning rate' must be float and must >= 0, but got '-1.0' with type 'float'.",
    ),
    "nothing": (RULES[1:], {"params": []}, ValueError, "group: expected at least one array in `params`, got none"),
}
CASES = [
    pytest.param(rule, *case[1:], id=f"{name}-{rule.__name__}") for name, case in GROUPS.items() for rule in case[0]
]


@pytest.mark.parametrize(("rule", "group", "error", "message"), CASES)
def test_group(rule: Rule, group: Group, error: type[Exception], message: str) -> None:
    refuses(error, message.format(*(1, 0) if "('g')" in message else (0,)), lambda: rule([group]))
    opt, params = start(rule)
    expected = message.format(*(6, 5) if "('g')" in message else (5,))
    unchanged(opt, params, (), error, expected, lambda: opt.add_param_group(group))
    opt.add_param_group({"params": {"f": zeros()}})
    opt.step([*gradients(), zeros()])


@pytest.mark.parametrize("rule", RULES)
def test_name_that_is_taken(rule: Rule) -> None:
    opt, params = start(rule)
    message = "params: expected unique names, got 'c' twice"
    unchanged(opt, params, (), ValueError, message, lambda: opt.add_param_group({"params": {"c": zeros()}}))


@pytest.mark.parametrize("rule", RULES)
def test_array_that_is_taken(rule: Rule) -> None:
    opt, params = start(rule)
    message = "params[5] ('f'): expected its own memory, got the same array as params[2] ('c')"
    unchanged(opt, params, (), ValueError, message, lambda: opt.add_param_group({"params": {"f": params["c"]}}))
