"""translate_state raises an error for a state that the other framework cannot have."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from helpers.three_arrays import GROUPS, arrays, in_groups, named, stepped
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate_state


def torch_saved(**changes: Any) -> dict[str, Any]:
    saved = stepped(TorchAdagrad(named(1))).state_dict()
    return {**saved, **changes}


def with_step(steps: Any) -> dict[str, Any]:
    saved = torch_saved()
    return {**saved, "state": {i: {**state, "step": np.float64(steps)} for i, state in saved["state"].items()}}


def uneven() -> dict[str, Any]:
    optimizer = stepped(TorchAdagrad(named(1)))
    optimizer.step([None, *arrays(20)[1:]])
    return dict(optimizer.state_dict())


def mindspore_saved(**changes: Any) -> dict[str, Any]:
    return {**stepped(MindSporeAdagrad(named(1))).state_dict(), **changes}


SWAPPED = "; it looks like that of another framework, did you swap source and target?"
to_mindspore = partial(translate_state, "torch", "mindspore")
to_torch = partial(translate_state, "mindspore", "torch")
ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "same name twice": (
        lambda: translate_state("torch", "torch", torch_saved()),
        ValueError,
        "target: expected a framework other than the source, got 'torch' twice",
    ),
    "unknown name": (
        lambda: translate_state("torch", "keras", {}),
        ValueError,
        "target: expected 'mindspore' or 'torch', got 'keras'",
    ),
    "steps that differ": (
        lambda: to_mindspore(uneven()),
        ValueError,
        "step: expected one number of steps, as MindSpore has one for all, got [3, 4]",
    ),
    "half a step": (lambda: to_mindspore(with_step(1.5)), ValueError, "got 1.5"),
    "no step": (lambda: to_mindspore(with_step(np.nan)), ValueError, "got nan"),
    "less than no step": (lambda: to_mindspore(with_step(-1)), ValueError, "got -1.0"),
    "too many steps": (
        lambda: to_torch(mindspore_saved(global_step=np.array([2**24 + 1]))),
        ValueError,
        "step: expected at most 16777216, got 16777217",
    ),
    "complex": (
        lambda: to_mindspore(stepped(TorchAdagrad([np.ones(17, np.complex64)]), 0).state_dict()),
        TypeError,
        "param0: expected real values, as MindSpore has no complex parameters, got complex64",
    ),
    "no array": (
        lambda: to_torch(mindspore_saved(**{"accum.a": [1.0]})),
        TypeError,
        "accum.a: expected an array, got list",
    ),
    "no groups": (lambda: to_mindspore({"state": {}}), KeyError, "state_dict: expected an entry 'param_groups'"),
    "the other framework's": (
        lambda: to_mindspore(mindspore_saved()),
        KeyError,
        f"state_dict: expected an entry 'param_groups'{SWAPPED}",
    ),
    "the other framework's for torch": (
        lambda: to_torch(torch_saved()),
        KeyError,
        f"state_dict: expected an entry 'global_step'{SWAPPED}",
    ),
    "a flag": (
        lambda: to_mindspore(torch_saved(), tensors="no"),  # type: ignore[arg-type]
        TypeError,
        "tensors: expected True or False, got 'no'",
    ),
    "no state": (lambda: to_mindspore(torch_saved(state={})), KeyError, "state: expected an entry 0"),
    "no global_step": (
        lambda: to_torch({"accum.a": np.ones(2)}),
        KeyError,
        "state_dict: expected an entry 'global_step'",
    ),
    "names too few": (lambda: to_mindspore(torch_saved(), names=["a"]), ValueError, "names: expected 3, got 1"),
    "names in another order": (
        lambda: to_mindspore(torch_saved(), names=["b", "a", "c"]),
        ValueError,
        "names: expected the order of the state dict, ['a', 'b', 'c'], got ['b', 'a', 'c']",
    ),
    "other names": (
        lambda: to_torch(mindspore_saved(), names=["a", "b", "d"]),
        ValueError,
        "names: expected those of the accumulators, ['a', 'b', 'c'], got ['a', 'b', 'd']",
    ),
    "parameters too few": (
        lambda: to_mindspore(torch_saved(), parameters=arrays(1)[:2]),
        ValueError,
        "parameters: expected 3, got 2",
    ),
    "parameters for torch": (
        lambda: to_torch(mindspore_saved(), parameters=arrays(1)),
        TypeError,
        "parameters: expected None for torch, whose state dicts have none",
    ),
    "options for MindSpore": (
        lambda: to_mindspore(torch_saved(), accum=0.5),
        TypeError,
        "accum: expected no options for MindSpore, which saves none",
    ),
    "groups for torch": (
        lambda: to_mindspore(torch_saved(), groups=GROUPS),
        TypeError,
        "groups: expected None, as a state dict of torch has its own",
    ),
    "an option torch does not know": (lambda: to_torch(mindspore_saved(), accum=0.5), TypeError, "accum"),
    "an option out of range": (lambda: to_torch(mindspore_saved(), eps=-1), ValueError, "Invalid epsilon value: -1"),
    "rates of groups": (
        lambda: to_torch(MindSporeAdagrad(in_groups(1, "lr")).state_dict()),
        ValueError,
        "groups: expected the names in each, as there is a rate 'learning_rate_group_0', got None",
    ),
    "list of rates": (
        lambda: to_torch(mindspore_saved(learning_rate=np.ones(3, np.float32))),
        ValueError,
        "lr: expected one rate, as torch has no list of rates, got a list of 3",
    ),
    "schedule": (
        lambda: to_torch(MindSporeAdagrad(named(1), learning_rate=lambda step: 0.5).state_dict()),
        KeyError,
        "lr: expected a rate, as a state dict holds none for a schedule",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    call, kind, message = ERRORS[case]
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value.args[0])


@pytest.mark.parametrize(
    ("target", "call"),
    [
        ("mindspore", lambda: translate_state("torch", "mindspore", torch_saved(), parameters=arrays(1), tensors=True)),
        ("torch", lambda: translate_state("mindspore", "torch", mindspore_saved(), tensors=True)),
    ],
)
def test_tensors_need_the_target_s_library(
    monkeypatch: pytest.MonkeyPatch, target: str, call: Callable[[], Any]
) -> None:
    monkeypatch.setitem(sys.modules, target, None)
    with pytest.raises(ImportError, match=f"^tensors=True: expected {target} to be installed$"):
        call()
