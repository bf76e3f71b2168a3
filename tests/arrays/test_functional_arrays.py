"""The stateless forms refuse arrays under the names of their own arguments, and change nothing then."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import refuses
from helpers.values import Shape
from numpy_adagrad.functional import adagrad, apply_adagrad
from numpy_adagrad.inputs.types import Array

OWN = "expected its own memory, got "
COUNTER = "expected a writeable float32 array of shape ()"


def ones(shape: Shape = 3, dtype: npt.DTypeLike = np.float32) -> Array:
    return np.ones(shape, dtype)


def counter() -> Array:
    return np.zeros((), np.float32)


def read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


APPLY = {
    "var_list": (([1.0], ones(), ones()), TypeError, "var: expected a NumPy array, got list"),
    "var_read_only": (
        (read_only(ones()), ones(), ones()),
        ValueError,
        "var: expected a writeable array, got a read-only one",
    ),
    "var_complex": ((ones(3, "c8"), ones(), ones()), TypeError, "var: expected a real array, got a complex one"),
    "accum_none": ((ones(), None, ones()), TypeError, "accum: expected a NumPy array, got NoneType"),
    "accum_shape": ((ones(), ones((3, 1)), ones()), ValueError, "accum: expected shape (3,), got (3, 1)"),
    "accum_dtype": (
        (ones(), ones(3, "f8"), ones()),
        TypeError,
        "accum: expected the dtype float32 of its parameter, got float64",
    ),
    "accum_read_only": (
        (ones(), read_only(ones()), ones()),
        ValueError,
        "accum: expected a writeable array, got a read-only one",
    ),
    "accum_is_var": (((a := ones()), a, ones()), ValueError, f"accum: {OWN}the same array as var"),
    "grad_none": ((ones(), ones(), None), TypeError, "grad: expected a NumPy array, got NoneType"),
    "grad_shape": ((ones(), ones(), ones(4)), ValueError, "grad: expected shape (3,), got (4,)"),
    "grad_dtype": (
        (ones(), ones(), ones(3, "f8")),
        TypeError,
        "grad: expected float32, got float64; cast it with .astype(np.float32)",
    ),
    "grad_is_var": (((b := ones()), ones(), b), ValueError, f"grad: {OWN}the same array as var"),
    "grad_meets_accum": ((ones(), (c := ones()), c[::-1]), ValueError, f"grad: {OWN}an overlap with accum"),
}


@pytest.mark.parametrize(("arrays", "error", "message"), APPLY.values(), ids=APPLY)
def test_apply_adagrad(arrays: tuple[Any, Any, Any], error: type[Exception], message: str) -> None:
    var, accum, grad = arrays
    refuses(error, message, lambda: apply_adagrad(var, accum, 0.1, grad))
    for array in arrays:
        if isinstance(array, np.ndarray):
            assert_same_bits(array, np.ones_like(array), "after a refusal")


# Replacements for arguments of a step of two parameters that has nothing wrong.
ADAGRAD = {
    "params": ({"params": [ones(), [1.0]]}, TypeError, "params[1]: expected a NumPy array, got list"),
    "params_twice": ({"params": [a, a]}, ValueError, f"params[1]: {OWN}the same array as params[0]"),
    "sums": ({"state_sums": [ones(), None]}, TypeError, "state_sums[1]: expected a NumPy array, got NoneType"),
    "sums_shape": ({"state_sums": [ones(), ones(4)]}, ValueError, "state_sums[1]: expected shape (3,), got (4,)"),
    "sums_dtype": (
        {"state_sums": [ones(), ones(3, "f2")]},
        TypeError,
        "state_sums[1]: expected the dtype float32 of its parameter, got float16",
    ),
    "sums_is_param": (
        {"params": [ones(), b], "state_sums": [b, ones()]},
        ValueError,
        f"state_sums[0]: {OWN}the same array as params[1]",
    ),
    "grads": ({"grads": [ones(), 1.0]}, TypeError, "grads[1]: expected a NumPy array, got float"),
    "grads_meet_sums": (
        {"state_sums": [ones(), c], "grads": [c[:], ones()]},
        ValueError,
        f"grads[0]: {OWN}an overlap with state_sums[1]",
    ),
    "few_grads": ({"grads": [ones()]}, ValueError, "grads: expected 2 arrays, one for each parameter, got 1"),
    "few_sums": ({"state_sums": []}, ValueError, "state_sums: expected 2 arrays, one for each parameter, got 0"),
    "few_steps": (
        {"state_steps": [counter()]},
        ValueError,
        "state_steps: expected 2 arrays, one for each parameter, got 1",
    ),
    "step_number": ({"state_steps": [counter(), 0.0]}, TypeError, f"state_steps[1]: {COUNTER}"),
    "step_scalar": ({"state_steps": [counter(), np.float32(0)]}, TypeError, f"state_steps[1]: {COUNTER}"),
    "step_shape": ({"state_steps": [counter(), np.zeros(1, "f4")]}, TypeError, f"state_steps[1]: {COUNTER}"),
    "step_dtype": ({"state_steps": [counter(), np.zeros(())]}, TypeError, f"state_steps[1]: {COUNTER}"),
    "step_read_only": ({"state_steps": [counter(), read_only(counter())]}, TypeError, f"state_steps[1]: {COUNTER}"),
}


@pytest.mark.parametrize(("wrong", "error", "message"), ADAGRAD.values(), ids=ADAGRAD)
def test_adagrad(wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {
        "params": [ones(), ones()],
        "grads": [ones(), ones()],
        "state_sums": [ones(), ones()],
        "state_steps": [counter(), counter()],
    } | wrong
    options: dict[str, Any] = {"lr": 0.1, "weight_decay": 0, "lr_decay": 0, "eps": 0, "maximize": False}
    refuses(error, message, lambda: adagrad(**arguments, **options))
    for name in ("params", "grads", "state_sums", "state_steps"):
        for array in arguments[name]:
            if isinstance(array, np.ndarray):
                expected = np.zeros_like(array) if name == "state_steps" else np.ones_like(array)
                assert_same_bits(array, expected, f"{name} after a refusal")
