"""The errors of `translate`, each with its whole message."""

import math
from typing import Any

import pytest
from helpers.errors import raises
from numpy_adagrad import translate

TORCH_NAMES = (
    "lr, lr_decay, weight_decay, initial_accumulator_value, eps, foreach, maximize, differentiable, fused, "
    "state_dtype, sparse_weight_decay, allocate"
)
MINDSPORE_NAMES = "accum, learning_rate, update_slots, loss_scale, weight_decay, state_dtype, allocate"
LEGAL = "For 'Adagrad', the '{}' must be a legal value, but got '{}'."
ERRORS: list[tuple[str, str, dict[str, Any], type[Exception], str]] = [
    ("torch", "torch", {}, ValueError, "target: expected a framework other than the source, got 'torch' twice"),
    ("jax", "torch", {}, ValueError, "source: expected 'mindspore' or 'torch', got 'jax'"),
    ("torch", "Torch", {}, ValueError, "target: expected 'mindspore' or 'torch', got 'Torch'"),
    (
        "torch",
        "mindspore",
        {"accum": 0.1},
        TypeError,
        f"arguments: expected those of TorchAdagrad ({TORCH_NAMES}), got 'accum'; torch calls it "
        "initial_accumulator_value",
    ),
    (
        "torch",
        "mindspore",
        {"params": []},
        TypeError,
        f"arguments: expected those of TorchAdagrad ({TORCH_NAMES}), got 'params'",
    ),
    (
        "mindspore",
        "torch",
        {"eps": 0},
        TypeError,
        f"arguments: expected those of MindSporeAdagrad ({MINDSPORE_NAMES}), got 'eps'; MindSpore has no such option: "
        "its epsilon is fixed at 1e-8, under the root",
    ),
    (
        "torch",
        "mindspore",
        {"weight_dcay": 0},
        TypeError,
        f"arguments: expected those of TorchAdagrad ({TORCH_NAMES}), got 'weight_dcay'; did you mean 'weight_decay'?",
    ),
    ("torch", "mindspore", {"lr": -1}, ValueError, "Invalid learning rate: -1"),
    ("torch", "mindspore", {"lr": "1"}, TypeError, "lr: expected a number or a 1-element array, got str"),
    ("torch", "mindspore", {"lr_decay": -1}, ValueError, "Invalid lr_decay value: -1"),
    ("torch", "mindspore", {"weight_decay": math.nan}, ValueError, "Invalid weight_decay value: nan"),
    ("torch", "mindspore", {"eps": -1e-8}, ValueError, "Invalid epsilon value: -1e-08"),
    (
        "torch",
        "mindspore",
        {"fused": True, "foreach": True},
        RuntimeError,
        "`fused` and `foreach` cannot be `True` together.",
    ),
    (
        "torch",
        "mindspore",
        {"fused": True, "differentiable": True},
        RuntimeError,
        "`fused` does not support `differentiable`",
    ),
    (
        "torch",
        "mindspore",
        {"sparse_weight_decay": True},
        ValueError,
        "sparse_weight_decay: expected None or 'touched', got True",
    ),
    ("torch", "mindspore", {"lr": math.inf}, ValueError, LEGAL.format("learning rate", "inf")),
    ("torch", "mindspore", {"initial_accumulator_value": math.inf}, ValueError, LEGAL.format("accum", "inf")),
    ("torch", "mindspore", {"weight_decay": math.inf}, ValueError, LEGAL.format("weight_decay", "inf")),
    ("mindspore", "torch", {"learning_rate": math.nan}, ValueError, LEGAL.format("learning rate", "nan")),
    (
        "mindspore",
        "torch",
        {"accum": 1},
        TypeError,
        "For 'Adagrad', the type of 'accum' should be 'float', but got type 'int'.",
    ),
    (
        "mindspore",
        "torch",
        {"update_slots": 1},
        TypeError,
        "For 'Adagrad', the type of 'update_slots' should be 'bool', but got type 'int'.",
    ),
    (
        "mindspore",
        "torch",
        {"learning_rate": []},
        ValueError,
        "learning_rate: expected a rate for each step, got none",
    ),
    (
        "mindspore",
        "torch",
        {"loss_scale": 0},
        ValueError,
        "For 'Adagrad', the 'loss_scale' must be float and must > 0, but got '0' with type 'int'.",
    ),
    *(
        (source, target, arguments, TypeError, message)
        for source, target in (("torch", "mindspore"), ("mindspore", "torch"))
        for arguments, message in (
            ({"state_dtype": "foo"}, "state_dtype: expected a dtype, got 'foo'"),
            ({"allocate": 5}, "allocate: expected a callable, got int"),
        )
    ),
    ("mindspore", "torch", {"weight_decay": lambda step: -1.0}, ValueError, "Invalid weight_decay value: -1.0"),
]


@pytest.mark.parametrize(("source", "target", "arguments", "error", "message"), ERRORS)
def test_errors(source: str, target: str, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    raises(error, message, lambda: translate(source, target, **arguments))
