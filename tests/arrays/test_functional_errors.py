"""The stateless forms name their own arguments in errors of arrays, and change nothing then."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from helpers.contents import frozen
from helpers.errors import raises
from helpers.values import ones, read_only
from numpy_adagrad import RowSparse
from numpy_adagrad.functional import adagrad, apply_adagrad
from numpy_adagrad.inputs.types import Array

Arguments: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[[Arguments], Arguments]

OWN = "expected its own memory, got "
COUNTER = "expected a writeable float32 array of shape (), got"


def counter() -> Array:
    return np.zeros((), np.float32)


def raises_on_arguments(
    function: Callable[..., None], arguments: Arguments, error: type[Exception], message: str
) -> None:
    before = frozen(arguments)
    raises(error, message, lambda: function(**arguments))
    assert frozen(arguments) == before


# Each makes something wrong of arguments that are right: other arguments in place of some of them.
APPLY: dict[str, tuple[Change, type[Exception], str]] = {
    "var_list": (lambda a: {"var": [1.0]}, TypeError, "var: expected a NumPy array, got list"),
    "var_read_only": (
        lambda a: {"var": read_only(ones())},
        ValueError,
        "var: expected a writeable array, got a read-only one; copy it with .copy()",
    ),
    "var_complex": (lambda a: {"var": ones(3, "c8")}, TypeError, "var: expected a real array, got a complex one"),
    "accum_none": (lambda a: {"accum": None}, TypeError, "accum: expected a NumPy array, got NoneType"),
    "accum_shape": (lambda a: {"accum": ones((3, 1))}, ValueError, "accum: expected shape (3,), got (3, 1)"),
    "accum_size": (lambda a: {"accum": ones(2)}, ValueError, "accum: expected shape (3,), got (2,)"),
    "accum_dtype": (
        lambda a: {"accum": ones(3, "f8")},
        TypeError,
        "accum: expected the dtype float32 of its parameter, got float64",
    ),
    "accum_read_only": (
        lambda a: {"accum": read_only(ones())},
        ValueError,
        "accum: expected a writeable array, got a read-only one; copy it with .copy()",
    ),
    "accum_is_var": (lambda a: {"accum": a["var"]}, ValueError, f"accum: {OWN}the same array as var"),
    "grad_none": (lambda a: {"grad": None}, TypeError, "grad: expected a NumPy array, got NoneType"),
    "grad_shape": (lambda a: {"grad": ones((3, 1))}, ValueError, "grad: expected shape (3,), got (3, 1)"),
    "grad_size": (lambda a: {"grad": ones(4)}, ValueError, "grad: expected shape (3,), got (4,)"),
    "grad_dtype": (
        lambda a: {"grad": ones(3, "f8")},
        TypeError,
        "grad: expected float32, got float64; cast it with .astype(np.float32)",
    ),
    "grad_is_var": (lambda a: {"grad": a["var"]}, ValueError, f"grad: {OWN}the same array as var"),
    "grad_meets_accum": (lambda a: {"grad": a["accum"][::-1]}, ValueError, f"grad: {OWN}an overlap with accum"),
    "grad_row": (
        lambda a: {"grad": RowSparse([3], ones(1))},
        IndexError,
        "grad.indices: expected rows in [0, 3), got 3 at position 0",
    ),
    "update_slots": (lambda a: {"update_slots": "no"}, TypeError, "update_slots: expected True or False, got 'no'"),
    "lr": (lambda a: {"lr": "0.1"}, TypeError, "lr: expected a number or a 1-element array, got str"),
}


@pytest.mark.parametrize(("change", "error", "message"), APPLY.values(), ids=APPLY)
def test_apply_adagrad(change: Change, error: type[Exception], message: str) -> None:
    arguments: Arguments = {"var": ones(), "accum": ones(), "lr": 0.1, "grad": ones()}
    raises_on_arguments(apply_adagrad, arguments | change(arguments), error, message)


ADAGRAD: dict[str, tuple[Change, type[Exception], str]] = {
    "params_none": (lambda a: {"params": None}, TypeError, "params: expected a sequence of arrays, got NoneType"),
    "grads_number": (lambda a: {"grads": 1.0}, TypeError, "grads: expected a sequence of arrays, got float"),
    "steps_array": (
        lambda a: {"state_steps": counter()},
        TypeError,
        "state_steps: expected a sequence of arrays, got ndarray",
    ),
    "fused_array": (
        lambda a: {"fused": np.ones(2)},
        TypeError,
        "fused: expected True or False, got ndarray of shape (2,)",
    ),
    "params": (lambda a: {"params": [ones(), [1.0]]}, TypeError, "params[1]: expected a NumPy array, got list"),
    "params_number": (lambda a: {"params": [ones(), 1.0]}, TypeError, "params[1]: expected a NumPy array, got float"),
    "params_twice": (
        lambda a: {"params": a["params"][:1] * 2},
        ValueError,
        f"params[1]: {OWN}the same array as params[0]",
    ),
    "sums": (
        lambda a: {"state_sums": [ones(), None]},
        TypeError,
        "state_sums[1]: expected a NumPy array, got NoneType",
    ),
    "sums_shape": (
        lambda a: {"state_sums": [ones(), ones(4)]},
        ValueError,
        "state_sums[1]: expected shape (3,), got (4,)",
    ),
    "sums_dtype": (
        lambda a: {"state_sums": [ones(), ones(3, "f2")]},
        TypeError,
        "state_sums[1]: expected the dtype float32 of its parameter, got float16",
    ),
    "sums_is_param": (
        lambda a: {"state_sums": [a["params"][1], ones()]},
        ValueError,
        f"state_sums[0]: {OWN}the same array as params[1]",
    ),
    "grads": (lambda a: {"grads": [ones(), 1.0]}, TypeError, "grads[1]: expected a NumPy array, got float"),
    "grads_none": (lambda a: {"grads": [ones(), None]}, TypeError, "grads[1]: expected a NumPy array, got NoneType"),
    "grads_shape": (lambda a: {"grads": [ones(), ones(2)]}, ValueError, "grads[1]: expected shape (3,), got (2,)"),
    "grads_meet_sums": (
        lambda a: {"grads": [a["state_sums"][1][:], ones()]},
        ValueError,
        f"grads[0]: {OWN}an overlap with state_sums[1]",
    ),
    "few_grads": (
        lambda a: {"grads": [ones()]},
        ValueError,
        "grads: expected 2, one for each parameter, got 1",
    ),
    "few_sums": (
        lambda a: {"state_sums": []},
        ValueError,
        "state_sums: expected 2, one for each parameter, got 0",
    ),
    "few_steps": (
        lambda a: {"state_steps": [counter()]},
        ValueError,
        "state_steps: expected 2, one for each parameter, got 1",
    ),
    "step_number": (lambda a: {"state_steps": [counter(), 0.0]}, TypeError, f"state_steps[1]: {COUNTER} float"),
    "step_scalar": (
        lambda a: {"state_steps": [counter(), np.float32(0)]},
        TypeError,
        f"state_steps[1]: {COUNTER} numpy.float32",
    ),
    "step_shape": (
        lambda a: {"state_steps": [counter(), np.zeros(1, "f4")]},
        TypeError,
        f"state_steps[1]: {COUNTER} float32 array of shape (1,)",
    ),
    "step_dtype": (
        lambda a: {"state_steps": [counter(), np.zeros(())]},
        TypeError,
        f"state_steps[1]: {COUNTER} float64 array of shape ()",
    ),
    "step_read_only": (
        lambda a: {"state_steps": [counter(), read_only(counter())]},
        TypeError,
        f"state_steps[1]: {COUNTER} a read-only float32 array of shape ()",
    ),
    "first_step_number": (lambda a: {"state_steps": [0, 0]}, TypeError, f"state_steps[0]: {COUNTER} int"),
    "sparse_decay": (
        lambda a: {"grads": [ones(), RowSparse([0], ones(1))], "weight_decay": 0.5},
        RuntimeError,
        "weight_decay option is not compatible with sparse gradients; "
        "TorchAdagrad(..., sparse_weight_decay='touched') decays the rows that a gradient covers",
    ),
    "sparse": (
        lambda a: {"has_sparse_grad": True, "fused": True},
        RuntimeError,
        "`fused` does not support sparse grad",
    ),
    "differentiable": (
        lambda a: {"fused": True, "differentiable": True},
        RuntimeError,
        "`fused` does not support `differentiable`",
    ),
    "foreach": (
        lambda a: {"foreach": True},
        ValueError,
        "foreach: expected None or False, as the path is the fused one, got True",
    ),
    "grad_scale": (
        lambda a: {"grad_scale": 0.0},
        ValueError,
        "grad_scale: expected a positive number within float32, got 0.0",
    ),
    "found_inf": (
        lambda a: {"found_inf": "1"},
        TypeError,
        "found_inf: expected a number or a 1-element array, got str",
    ),
    "sparse_text": (
        lambda a: {"has_sparse_grad": "no"},
        TypeError,
        "has_sparse_grad: expected True or False, got 'no'",
    ),
    "sparse_row": (
        lambda a: {"grads": [ones(), RowSparse([3], ones(1))], "has_sparse_grad": True},
        IndexError,
        "grads[1].indices: expected rows in [0, 3), got 3 at position 0",
    ),
    "maximize": (lambda a: {"maximize": "no"}, TypeError, "maximize: expected True or False, got 'no'"),
    "lr": (lambda a: {"lr": None}, TypeError, "lr: expected a number or a 1-element array, got NoneType"),
}


@pytest.mark.parametrize(("change", "error", "message"), ADAGRAD.values(), ids=ADAGRAD)
def test_adagrad(change: Change, error: type[Exception], message: str) -> None:
    arrays: Arguments = {name: [ones(), ones()] for name in ("params", "grads", "state_sums")}
    options: Arguments = {"lr": 0.1, "weight_decay": 0, "lr_decay": 0, "eps": 0, "maximize": False}
    arguments: Arguments = {**arrays, "state_steps": [counter(), counter()], **options}
    raises_on_arguments(adagrad, arguments | change(arguments), error, message)
