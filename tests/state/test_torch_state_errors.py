"""Incomplete state dicts that TorchAdagrad loads, and its errors, which change nothing."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.errors import raises, raises_unchanged
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from helpers.values import bfloat16
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Group


def named_optimizer() -> TorchAdagrad:
    groups: list[Group] = [
        {"params": {"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float32)}},
        {"params": {"c": np.ones(4)}},
    ]
    optimizer = TorchAdagrad(groups, lr=0.25)
    optimizer.step([np.ones(3, np.float32), None, np.ones(4)])
    return optimizer


def replaced(*path_and_value: Any) -> Callable[[Any], None]:
    """The change that puts a value at a path of keys."""
    *path, last, value = path_and_value

    def change(saved: Any) -> None:
        for key in path:
            saved = saved[key]
        saved[last] = value

    return change


def without(*path: Any) -> Callable[[Any], None]:
    def change(saved: Any) -> None:
        *steps, last = path
        for key in steps:
            saved = saved[key]
        del saved[last]

    return change


def of_another_size(saved: Any) -> None:
    """Without names: those would not fit either."""
    for group in saved["param_groups"]:
        del group["param_names"]
    saved["param_groups"][1]["params"].append(3)


def of_mindspore(saved: dict[str, Any]) -> None:
    saved.clear()
    saved["global_step"] = np.zeros(1, np.int32)


TRANSLATE = "; numpy_adagrad.translate_state converts the state dict of another framework"
MISMATCHES = [
    (
        replaced("state", 0, "sum", np.ma.ones(3, np.float32)),
        TypeError,
        "state[0]['sum']: expected an array without a mask, got MaskedArray; fill it with .filled(0)",
    ),
    (without("state"), KeyError, "state_dict: expected an entry 'state'"),
    (of_mindspore, KeyError, f"state_dict: expected an entry 'state'{TRANSLATE}"),
    (without("param_groups"), KeyError, "state_dict: expected an entry 'param_groups'"),
    (without("param_groups", 1), ValueError, "loaded state dict has a different number of parameter groups"),
    (
        of_another_size,
        ValueError,
        "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
    ),
    (without("param_groups", 1, "params"), KeyError, "param_groups[1]: expected an entry 'params'"),
    (without("param_groups", 1, "lr"), KeyError, "param_groups[1]: expected an entry 'lr'"),
    (without("param_groups", 1, "lr_decay"), KeyError, "param_groups[1]: expected an entry 'lr_decay'"),
    (without("param_groups", 1, "weight_decay"), KeyError, "param_groups[1]: expected an entry 'weight_decay'"),
    (without("param_groups", 1, "eps"), KeyError, "param_groups[1]: expected an entry 'eps'"),
    (
        replaced("param_groups", 1, "lock", threading.Lock()),
        TypeError,
        "param_groups[1]['lock']: expected a value that can be copied, got lock: cannot pickle '_thread.lock' object",
    ),
    (
        replaced("param_groups", 1, "lr", "0.1"),
        TypeError,
        "param_groups[1]['lr']: expected a number or a 1-element array, got str",
    ),
    (
        replaced("param_groups", 1, "lr", torch.ones(2)),
        TypeError,
        "param_groups[1]['lr']: expected a number, got an array of shape (2,) and dtype float32",
    ),
    (
        replaced("param_groups", 1, "eps", None),
        TypeError,
        "param_groups[1]['eps']: expected a number or a 1-element array, got NoneType",
    ),
    (
        replaced("param_groups", 0, "param_names", ["b", "d"]),
        ValueError,
        "params: expected one named 'a', got none",
    ),
    (
        replaced("param_groups", 0, "param_names", ["b", "b"]),
        ValueError,
        "params: expected unique names, got 'b' twice",
    ),
    (
        replaced("param_groups", 0, "param_names", ["a"]),
        ValueError,
        "param_groups[0]['param_names']: expected 2 names, got 1",
    ),
    (
        replaced("state", 7, {}),
        ValueError,
        "state: expected entries for the parameters of the groups, got 7",
    ),
    (without("state", 2, "sum"), KeyError, "state[2]: expected an entry 'sum'"),
    (without("state", 2, "step"), KeyError, "state[2]: expected an entry 'step'"),
    (replaced("state", 2, "sum", np.ones(3)), ValueError, "state[2]['sum']: expected shape (4,), got (3,)"),
    (replaced("state", 2, "sum", torch.ones(4, 1)), ValueError, "state[2]['sum']: expected shape (4,), got (4, 1)"),
    (
        replaced("state", 2, "sum", np.ones(4, np.complex128)),
        TypeError,
        "state[2]['sum']: expected values that float64 can hold, got complex128",
    ),
    (replaced("state", 2, "sum", [1.0] * 4), TypeError, "state[2]['sum']: expected an array, got list"),
    (
        replaced("state", 2, "step", "1"),
        TypeError,
        "state[2]['step']: expected a number or a 1-element array, got str",
    ),
    (replaced("state", 2, "step", -1.0), ValueError, "state[2]['step']: expected a whole number of steps, got -1.0"),
    (
        replaced("state", 2, "step", 1e39),
        ValueError,
        "state[2]['step']: expected a number of steps within float32, got 1e+39",
    ),
    (replaced("param_groups", None), TypeError, "param_groups: expected a list, got NoneType"),
    (replaced("param_groups", ["x", "y"]), TypeError, "param_groups[0]: expected a dict, got str"),
    (replaced("param_groups", 1, "params", 2), TypeError, "param_groups[1]['params']: expected a list, got int"),
    (
        replaced("param_groups", 1, "params", [[2]]),
        TypeError,
        "param_groups[1]['params']: expected hashable entries, got [2]",
    ),
    (
        replaced("param_groups", 1, "param_names", [["c"]]),
        TypeError,
        "param_groups[1]['param_names']: expected hashable entries, got ['c']",
    ),
    (replaced("state", 0, 5), TypeError, "state[0]: expected a dict, got int"),
    (
        replaced("param_groups", 1, "maximize", np.array([1, 0])),
        TypeError,
        "param_groups[1]['maximize']: expected True or False, got ndarray of shape (2,)",
    ),
    (
        replaced("state", 2, "step", np.ones(2)),
        TypeError,
        "state[2]['step']: expected a number, got an array of shape (2,) and dtype float64",
    ),
]


@pytest.mark.parametrize(("change", "error", "message"), MISMATCHES, ids=[text for *_, text in MISMATCHES])
def test_mismatches_change_nothing(change: Callable[[Any], None], error: type[Exception], message: str) -> None:
    optimizer = named_optimizer()
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["lr"] = 0.5
    saved["state"][0]["sum"] += 1
    broken = copy.deepcopy(saved)
    change(broken)
    raises_unchanged(optimizer, error, message, lambda: optimizer.load_state_dict(broken))
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_no_dict() -> None:
    optimizer = named_optimizer()
    nothing: Any = None
    message = "state_dict: expected a dict, got NoneType"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.load_state_dict(nothing))


def test_flags_without_a_truth_value() -> None:
    message = "param_groups[0]['maximize']: expected True or False, got ndarray of shape (2,)"
    optimizer = named_optimizer()
    optimizer.param_groups[0]["maximize"] = np.array([1, 0])
    grads = [np.ones(3, np.float32), None, None]
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step(grads))


def test_missing_state_starts_again() -> None:
    optimizer = named_optimizer()
    saved = copy.deepcopy(optimizer.state_dict())
    del saved["state"][0]
    saved["state"][2] = {}
    optimizer.load_state_dict(saved)
    assert_same_bits(optimizer.state[0]["sum"], np.zeros(3, np.float32))
    assert_same_bits(optimizer.state[2]["sum"], np.zeros(4))
    assert [float(state["step"]) for state in optimizer.state.values()] == [0, 0, 0]


@pytest.mark.parametrize(("dtype", "state_dtype"), [("float32", None), (bfloat16, None), ("float16", np.float32)])
@pytest.mark.parametrize("saved_as", [torch.float64, torch.float16, torch.bfloat16])
def test_sums_are_cast_to_the_dtype_here(
    dtype: npt.DTypeLike, state_dtype: npt.DTypeLike | None, saved_as: torch.dtype
) -> None:
    param = np.ones(4, dtype)
    optimizer = TorchAdagrad([param], state_dtype=state_dtype)
    saved = optimizer.state_dict(tensors=True)
    saved["state"][0] = {"sum": torch.tensor([0.1, 1e6, 1 / 3, 1e-3], dtype=saved_as), "step": torch.tensor(3)}
    optimizer.load_state_dict(saved)
    theirs = torch.optim.Adagrad([to_torch(np.ones(4, state_dtype or dtype))])
    theirs.load_state_dict(saved)
    (expected,) = theirs.state.values()
    assert_same_bits(optimizer.state[0]["sum"], to_numpy(expected["sum"]))
    assert_same_bits(optimizer.state[0]["step"], np.float32(3))


@pytest.mark.parametrize(("part", "key"), [("state", "sum"), ("state", "step"), ("param_groups", "lr")])
def test_a_dtype_that_numpy_lacks_is_named(part: str, key: str) -> None:
    optimizer = TorchAdagrad([np.ones(1)])
    saved = copy.deepcopy(optimizer.state_dict())
    saved[part][0][key] = torch.ones(1).to(torch.float8_e4m3fn)
    text = "expected an array that NumPy can read, got Tensor: Got unsupported ScalarType Float8_e4m3fn"
    raises_unchanged(optimizer, TypeError, f"{part}[0][{key!r}]: {text}", lambda: optimizer.load_state_dict(saved))


def test_names_load_where_there_are_none() -> None:
    optimizer = TorchAdagrad([np.ones(3)])
    optimizer.load_state_dict(TorchAdagrad({"w": np.ones(3)}, lr=0.5).state_dict())
    assert (optimizer.param_groups[0]["lr"], optimizer.names) == (0.5, ["w"])


def test_initial_value_of_a_state_dict_is_kept_and_ignored() -> None:
    optimizer = TorchAdagrad([np.ones(3)])
    optimizer.load_state_dict(TorchAdagrad([np.ones(3)], initial_accumulator_value=0.5).state_dict())
    assert optimizer.param_groups[0]["initial_accumulator_value"] == 0.5
    optimizer.add_param_group({"params": [np.ones(2)]})
    assert_same_bits(optimizer.state[0]["sum"], np.full(3, 0.5))
    assert_same_bits(optimizer.state[1]["sum"], np.zeros(2))


def test_callable_rates_stay_and_are_saved_as_their_last_value() -> None:
    def falling(step: int) -> float:
        return 0.5 / (1 + step)

    ones = np.ones(3)
    optimizer, other = (TorchAdagrad([np.ones(3)], lr=falling) for _ in range(2))
    assert optimizer.state_dict()["param_groups"][0]["lr"] == 0.5
    for _ in range(3):
        optimizer.step([ones])
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["lr"] == falling(2)
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] is falling
    assert other.state_dict()["param_groups"][0]["lr"] == falling(2)
    other.param_groups[0]["params"][0][...] = optimizer.param_groups[0]["params"][0]
    optimizer.step([ones])
    other.step([ones])
    assert contents(other) == contents(optimizer)
    fixed = TorchAdagrad([np.ones(3)])
    fixed.load_state_dict(saved)
    assert fixed.param_groups[0]["lr"] == falling(2)


@pytest.mark.parametrize(
    ("wrong", "end"),
    [
        ({"model": {}, "optimizer": {"state": {}, "param_groups": []}}, "; give its entry 'optimizer'"),
        ({"layer.weight": np.ones(2)}, ", got the keys ['layer.weight']"),
        ({"global_step": 1}, "; numpy_adagrad.translate_state converts the state dict of another framework"),
    ],
    ids=["nested", "model", "mindspore"],
)
def test_another_state_dict(wrong: dict[str, Any], end: str) -> None:
    optimizer = TorchAdagrad([np.ones(3)])
    message = f"state_dict: expected an entry 'state'{end}"
    raises(KeyError, message, lambda: optimizer.load_state_dict(wrong))


@pytest.mark.parametrize("lr_decay", [0, 1e-7, 0.3])
def test_a_loaded_counter_stops_at_two_to_the_24(lr_decay: float) -> None:
    param = np.ones(3, np.float32)
    tensor = to_torch(param)
    ours, theirs = (
        TorchAdagrad([param], lr=0.1, lr_decay=lr_decay),
        torch.optim.Adagrad([tensor], lr=0.1, lr_decay=lr_decay, fused=True),
    )
    saved = theirs.state_dict()
    saved["state"][0]["step"] = torch.tensor(2.0**24 - 1)
    theirs.load_state_dict(saved)
    ours.load_state_dict(saved)
    for step in range(4):
        grad = np.full(3, 0.1 * step, np.float32)
        ours.step([grad])
        torch_step(theirs, [tensor], [grad])
        assert_same_bits(param, to_numpy(tensor), f"step {step}")
        assert_same_bits(ours.state[0]["step"], np.float32(2**24))
