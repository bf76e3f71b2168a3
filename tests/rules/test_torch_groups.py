"""Groups of TorchAdagrad: those added later beside torch, their errors in torch's words, options changed in them."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.dialects import DIALECTS
from helpers.errors import raises, raises_unchanged
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from helpers.two_groups import gradients, start
from helpers.values import normal
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array

DIALECT = DIALECTS["torch"]
START = "initial_accumulator_value"


def draw_all(*sizes: int, seed: int = 1) -> list[Array]:
    return [normal(size, seed=seed + size) for size in sizes]


def test_a_group_added_later() -> None:
    """With the start and the options of the constructor, as torch's lazily made state has them."""
    params, added = draw_all(3, 4), draw_all(5, 2)
    tensors, more = [to_torch(p) for p in params], [to_torch(p) for p in added]
    options: dict[str, Any] = {"lr": 0.3, "lr_decay": 0.1, START: 0.5}
    ours, theirs = TorchAdagrad(params, **options), torch.optim.Adagrad(tensors, fused=True, **options)
    ours.step(draw_all(3, 4, seed=2))
    torch_step(theirs, tensors, draw_all(3, 4, seed=2))
    ours.add_param_group({"params": added, "weight_decay": 0.1, "note": 1})
    theirs.add_param_group({"params": more, "weight_decay": 0.1, "note": 1})
    for step in range(3):
        grads = draw_all(3, 4, 5, 2, seed=step)
        ours.step(grads)
        torch_step(theirs, tensors + more, grads)
        for i, (param, tensor) in enumerate(zip(params + added, tensors + more, strict=True)):
            assert_same_bits(param, to_numpy(tensor), f"parameter {i}, step {step}")
            assert_same_bits(ours.state[i]["sum"], to_numpy(theirs.state[tensor]["sum"]), f"sum {i}, step {step}")
    assert ours.state_dict(tensors=True)["param_groups"] == theirs.state_dict()["param_groups"]
    assert [int(state["step"]) for state in ours.state.values()] == [4, 4, 3, 3]


# Groups that neither the constructor nor `add_param_group` takes.
GROUPS: dict[str, tuple[Any, type[Exception], str]] = {
    "start": (
        {START: 0.5},
        ValueError,
        f"{START}: expected the constructor's in every group, 0, got 0.5",
    ),
    "start_of_a_wrong_kind": (
        {START: "0"},
        TypeError,
        f"{START}: expected a number or a 1-element array, got str",
    ),
    "foreach": (
        {"foreach": True},
        ValueError,
        "foreach: expected None or False, as the path is the fused one, got True",
    ),
}


@pytest.mark.parametrize(("options", "error", "message"), GROUPS.values(), ids=GROUPS)
def test_options_of_a_group(options: dict[str, Any], error: type[Exception], message: str) -> None:
    group = {"params": {"f": np.ones(3)}, **options}
    raises(error, message, lambda: TorchAdagrad([group]))
    optimizer, _ = start(DIALECT)
    raises_unchanged(optimizer, error, message, lambda: optimizer.add_param_group(group))


def test_a_group_that_is_none() -> None:
    optimizer, _ = start(DIALECT)
    message = "param_group must be a dict, but got <class 'int'>"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.add_param_group(1))


def test_names_in_some_groups() -> None:
    message = "all optimizer params should be with/without names. Some param names are missing"
    named, unnamed = ({"params": params} for params in ({"a": np.ones(3)}, [np.ones(2)]))
    raises(ValueError, message, lambda: TorchAdagrad([named, unnamed]))
    for first, second in ((named, unnamed), (unnamed, named)):
        optimizer = TorchAdagrad([first])
        raises_unchanged(optimizer, ValueError, message, lambda: optimizer.add_param_group(second))  # noqa: B023


@pytest.mark.parametrize("value", [0, False, np.float64(0), np.array(0.0)])
def test_the_start_in_a_group_may_be_that_of_all(value: Any) -> None:
    assert_same_bits(TorchAdagrad([{"params": [np.ones(3)], START: value}]).state[0]["sum"], np.zeros(3))


# Values that are put into a group are read by the next step.
VALUES: dict[str, tuple[str, Any, str]] = {
    "lr": ("lr", "0.1", "str"),
    "lr_none": ("lr", None, "NoneType"),
    "lr_decay": ("lr_decay", "0", "str"),
    "weight_decay": ("weight_decay", [0], "list"),
    "eps": ("eps", None, "NoneType"),
}


@pytest.mark.parametrize(("key", "value", "got"), VALUES.values(), ids=VALUES)
def test_wrong_values_in_a_group(key: str, value: Any, got: str) -> None:
    optimizer, _ = start(DIALECT)
    message = f"param_groups[1]['{key}']: expected a number or a 1-element array, got {got}"
    optimizer.param_groups[1][key] = value
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step(gradients()))
