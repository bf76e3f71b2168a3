"""Errors of MindSporeAdagrad.load_state_dict, which change nothing, and entries that it leaves alone."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import raises, raises_unchanged
from mindspore import Parameter, Tensor
from numpy_adagrad import MindSporeAdagrad

ONES = {"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float32)}
RATES = [0.5, 0.25, 0.125]


def listed_optimizer() -> MindSporeAdagrad:
    optimizer = MindSporeAdagrad({name: array.copy() for name, array in ONES.items()}, learning_rate=RATES)
    optimizer.step(ONES)
    return optimizer


def replaced(key: Any, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda saved: saved.update({key: value})


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda saved: saved.pop(key)


def of_torch(saved: dict[str, Any]) -> None:
    saved.clear()
    saved.update(state={}, param_groups=[])


TRANSLATE = "; numpy_adagrad.translate_state converts the state dict of another framework"
MISMATCHES = [
    (without("global_step"), KeyError, "state_dict: expected an entry 'global_step'"),
    (of_torch, KeyError, f"state_dict: expected an entry 'global_step'{TRANSLATE}"),
    (without("learning_rate"), KeyError, "state_dict: expected an entry 'learning_rate'"),
    (without("accum.b"), KeyError, "state_dict: expected an entry 'accum.b', got the accumulators ['accum.a']"),
    (without("b"), KeyError, "state_dict: expected an entry 'b'"),
    (replaced(0, np.ones(3)), KeyError, "state_dict: expected entries for the parameters here, got 0"),
    (replaced("accum.c", np.ones(3)), KeyError, "state_dict: expected entries for the parameters here, got 'accum.c'"),
    (
        replaced("learning_rate_group_0", np.float32(1)),
        KeyError,
        "state_dict: expected entries for the parameters here, got 'learning_rate_group_0'",
    ),
    (replaced("accum.b", np.ones(4, np.float32)), ValueError, "accum.b: expected shape (2, 2), got (4,)"),
    (
        replaced("accum.b", Parameter(Tensor(np.ones(2, np.float32)), name="accum.b")),
        ValueError,
        "accum.b: expected shape (2, 2), got (2,)",
    ),
    (
        replaced("accum.b", np.ones((2, 2), np.complex64)),
        TypeError,
        "accum.b: expected values that float32 can hold, got complex64",
    ),
    (replaced("accum.b", [[1.0, 1.0], [1.0, 1.0]]), TypeError, "accum.b: expected an array, got list"),
    (replaced("b", np.ones((2, 3), np.float32)), ValueError, "b: expected shape (2, 2), got (2, 3)"),
    (
        replaced("global_step", np.array([-1], np.int32)),
        ValueError,
        "global_step: expected a whole number of steps, got -1.0",
    ),
    (
        replaced("global_step", np.array([2**32 + 5])),
        ValueError,
        "global_step: expected a number of steps within int32, got 4294967301",
    ),
    (
        lambda saved: saved.clear(),
        KeyError,
        "state_dict: expected an entry 'global_step', got the accumulators []",
    ),
    (replaced("global_step", 1), TypeError, "global_step: expected an array, got int"),
    (replaced("global_step", np.array(1, np.int32)), ValueError, "global_step: expected shape (1,), got ()"),
    (
        replaced("global_step", np.ones(1, np.float32)),
        TypeError,
        "global_step: expected values that int32 can hold, got float32",
    ),
    (
        replaced("learning_rate", np.array(0.1, np.float32)),
        ValueError,
        "learning_rate: expected shape (3,), got ()",
    ),
    (
        replaced("learning_rate", np.ones(4, np.float32)),
        ValueError,
        "learning_rate: expected shape (3,), got (4,)",
    ),
]


@pytest.mark.parametrize(("change", "error", "message"), MISMATCHES, ids=[text for *_, text in MISMATCHES])
def test_mismatches_change_nothing(
    change: Callable[[dict[str, Any]], object], error: type[Exception], message: str
) -> None:
    optimizer = listed_optimizer()
    saved = copy.deepcopy(optimizer.state_dict(parameters=True))
    for key in ("a", "accum.a", "learning_rate"):
        saved[key] += 1
    broken = copy.deepcopy(saved)
    change(broken)
    raises_unchanged(optimizer, error, message, lambda: optimizer.load_state_dict(broken, parameters=True))
    optimizer.load_state_dict(saved, parameters=True)
    assert_same_bits(optimizer.param_groups[0]["lr"], np.array(RATES, np.float32) + np.float32(1))


def test_parameters_are_loaded_only_on_request() -> None:
    optimizer = listed_optimizer()
    saved = copy.deepcopy(optimizer.state_dict(parameters=True))
    for array in saved.values():
        array[...] = 2
    updated = [param.copy() for param in optimizer.param_groups[0]["params"]]
    optimizer.load_state_dict(saved)
    for param, before in zip(optimizer.param_groups[0]["params"], updated, strict=True):
        assert_same_bits(param, before)
    assert_same_bits(optimizer.global_step, np.array([2], np.int32))
    optimizer.load_state_dict({key: saved[key] for key in saved if key not in ONES})
    with pytest.raises(KeyError, match="expected an entry 'a'"):
        optimizer.load_state_dict({key: saved[key] for key in saved if key not in ONES}, parameters=True)
    text: Any = "no"
    message = "parameters: expected True or False, got 'no'"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.load_state_dict(saved, parameters=text))
    optimizer.load_state_dict(saved, parameters=True)
    assert_same_bits(optimizer.param_groups[0]["params"][0], np.full(3, 2, np.float32))


@pytest.mark.parametrize("name", ["learning_rate_w", "learning_rate_group_0", "accum", "global_step.w"])
def test_parameters_with_names_like_ours(name: str) -> None:
    param = np.ones(2)
    optimizer = MindSporeAdagrad({name: param})
    saved = {key: value + 1 for key, value in optimizer.state_dict(parameters=True).items()}
    optimizer.load_state_dict(saved, parameters=True)
    assert_same_bits(param, np.full(2, 2.0))


def as_rate(step: int) -> float:
    return float(step)


@pytest.mark.parametrize("callables", [{"learning_rate": as_rate}, {"weight_decay": as_rate}])
def test_callables_are_kept_and_not_saved(callables: dict[str, Any]) -> None:
    optimizer, other = (MindSporeAdagrad([np.ones(3)], **callables) for _ in range(2))
    optimizer.step([np.ones(3)])
    saved = optimizer.state_dict()
    assert ("learning_rate" in saved) == ("learning_rate" not in callables)
    other.load_state_dict(saved)
    assert as_rate in (other.param_groups[0]["lr"], other.param_groups[0]["weight_decay"])
    assert_same_bits(other.global_step, np.ones(1, np.int32))


def test_a_loaded_counter_indexes_the_rates(tmp_path: Path) -> None:
    path = str(tmp_path / "saved.ckpt")
    optimizer = listed_optimizer()
    saved = {key: Tensor(value) for key, value in optimizer.state_dict().items()}
    mindspore.save_checkpoint([{"name": key, "data": value} for key, value in saved.items()], path)
    optimizer.step(ONES)
    optimizer.load_state_dict(mindspore.load_checkpoint(path))
    assert_same_bits(optimizer.global_step, np.ones(1, np.int32))
    for _ in RATES[1:]:
        optimizer.step(ONES)
    with pytest.raises(RuntimeError, match="global_step 3"):
        optimizer.step(ONES)


@pytest.mark.parametrize(
    ("rate", "end"),
    [
        (-1, "be float and must >= 0, but got '-1.0' with type 'float'."),
        (np.nan, "be a legal value, but got 'nan'."),
        (np.inf, "be a legal value, but got 'inf'."),
    ],
)
def test_rates_that_no_step_takes(rate: float, end: str) -> None:
    optimizer = MindSporeAdagrad([{"params": [np.ones(3)], "lr": 0.5}])
    saved = {**optimizer.state_dict(), "learning_rate_group_0": np.array(rate, np.float32)}
    message = f"For 'Adagrad', the 'learning_rate_group_0' must {end}"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.load_state_dict(saved))


def test_no_dict() -> None:
    optimizer = listed_optimizer()
    nothing: Any = None
    message = "state_dict: expected a dict, got NoneType"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.load_state_dict(nothing))


@pytest.mark.parametrize("name", ["global_step", "learning_rate", "accum.w"])
def test_names_that_a_checkpoint_uses_itself(name: str) -> None:
    message = f"params: expected names that a checkpoint does not use itself, got {name!r}"
    raises(ValueError, message, lambda: MindSporeAdagrad({"w": np.zeros(2), name: np.zeros(2)}))


@pytest.mark.parametrize(
    ("rate", "got"),
    [(0.25, "0.25"), (as_rate, f"{as_rate!r:.60}"), (np.ones(50), f"{np.ones(50)!r:.60}")],
    ids=["number", "callable", "sequence"],
)
def test_groups_that_share_the_name_of_their_rate(rate: Any, got: str) -> None:
    """The last rate won, for all of them."""
    optimizer, other = (
        MindSporeAdagrad([{"params": {"a": np.ones(3)}}, {"params": {"b": np.ones(3)}}], learning_rate=0.5)
        for _ in range(2)
    )
    optimizer.param_groups[1]["lr"] = rate
    message = (
        "param_groups[1]['lr']: expected 0.5, the rate of param_groups[0], which shares 'learning_rate' with it in "
        f"MindSpore, got {got}; give each group its own lr in the constructor"
    )
    raises_unchanged(optimizer, ValueError, message, optimizer.state_dict)
    if rate is not as_rate:
        return
    optimizer.load_state_dict({**other.state_dict(), "learning_rate": np.array(0.125, np.float32)})
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, as_rate]


def test_a_name_that_is_no_text() -> None:
    optimizer = MindSporeAdagrad(ONES)
    saved = optimizer.state_dict()
    optimizer.param_groups[0]["lr_name"] = 1.5
    message = "state_dict: expected an entry 1.5"
    raises_unchanged(optimizer, KeyError, message, lambda: optimizer.load_state_dict(saved))
