"""translate_state: the state of one framework continues in the other; the errors for a state that cannot."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import mindspore
import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.mindspore_arrays import mindspore_adagrad, mindspore_step, parameter
from helpers.torch_arrays import to_numpy, torch_step
from helpers.torch_arrays import to_torch as tensor_of
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate_state
from numpy_adagrad.inputs.types import Array

NAMES = ["a", "b", "c"]
SHAPES: list[tuple[int, ...]] = [(17,), (4, 5), ()]
GROUPS = [["a"], ["b", "c"]]


def arrays(seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), np.float32) for shape in SHAPES]


def named(seed: int) -> dict[str, Array]:
    return dict(zip(NAMES, arrays(seed), strict=True))


def in_groups(seed: int, key: str) -> list[dict[str, Any]]:
    values = named(seed)
    rates = [0.5, 0.25]
    return [{"params": {n: values[n] for n in group}, key: rate} for group, rate in zip(GROUPS, rates, strict=True)]


def stepped(optimizer: Any, steps: int = 3) -> Any:
    for seed in range(steps):
        optimizer.step(arrays(10 + seed))
    return optimizer


def sums(optimizer: Any) -> list[Array]:
    return [state[optimizer._accumulator] for state in optimizer.state.values()]


@pytest.mark.parametrize("grouped", [False, True])
def test_torch_to_mindspore(grouped: bool) -> None:
    source = stepped(TorchAdagrad(in_groups(1, "lr") if grouped else named(1), lr=0.1, initial_accumulator_value=0.5))
    target = MindSporeAdagrad(in_groups(2, "lr") if grouped else named(2), learning_rate=9.0)
    target.load_state_dict(translate_state("torch", "mindspore", source.state_dict()))
    for ours, theirs in zip(sums(target), sums(source), strict=True):
        assert_same_bits(ours, theirs)
    assert target.global_step.tolist() == [3]
    expected = [0.5, 0.25] if grouped else [float(np.float32(0.1))]
    assert [float(group["lr"]) for group in target.param_groups] == expected


@pytest.mark.parametrize("grouped", [False, True])
def test_mindspore_to_torch(grouped: bool) -> None:
    source = stepped(MindSporeAdagrad(in_groups(1, "lr") if grouped else named(1), learning_rate=0.125))
    target = TorchAdagrad(in_groups(2, "lr") if grouped else named(2), lr=9.0, weight_decay=9.0)
    groups = GROUPS if grouped else None
    target.load_state_dict(translate_state("mindspore", "torch", source.state_dict(), groups=groups, eps=0.5))
    for ours, theirs in zip(sums(target), sums(source), strict=True):
        assert_same_bits(ours, theirs)
    assert [float(state["step"]) for state in target.state.values()] == [3, 3, 3]
    assert [group["lr"] for group in target.param_groups] == ([0.5, 0.25] if grouped else [0.125])
    assert {group["eps"] for group in target.param_groups} == {0.5}
    assert {group["weight_decay"] for group in target.param_groups} == {0}


@pytest.mark.parametrize("grouped", [False, True])
def test_there_and_back(grouped: bool) -> None:
    source = stepped(TorchAdagrad(in_groups(1, "lr") if grouped else named(1), lr=0.5, eps=0.5, maximize=True))
    saved = source.state_dict()
    there = translate_state("torch", "mindspore", saved)
    groups = GROUPS if grouped else None
    back = translate_state("mindspore", "torch", there, groups=groups, eps=0.5, maximize=True)
    assert back["param_groups"] == saved["param_groups"]
    assert back["state"].keys() == saved["state"].keys()
    for i, state in back["state"].items():
        for key, array in state.items():
            assert_same_bits(array, saved["state"][i][key], f"{key} {i}")


def test_real_libraries_load_and_save(tmp_path: Any) -> None:
    """torch saves, MindSpore loads and takes a step; MindSpore saves, torch loads and has the same accumulators."""
    tensors = [tensor_of(array) for array in arrays(1)]
    theirs = torch.optim.Adagrad(list(zip(NAMES, tensors, strict=True)), lr=0.5)
    for seed in range(3):
        torch_step(theirs, tensors, arrays(10 + seed))
    optimizer = mindspore_adagrad(list(zip(NAMES, arrays(2), strict=True)), learning_rate=9.0)
    made = translate_state("torch", "mindspore", theirs.state_dict(), parameters=tensors, tensors=True)
    assert mindspore.load_param_into_net(optimizer, made) == ([], [])
    for param, tensor in zip(optimizer.parameters, tensors, strict=True):
        assert_same_bits(param.asnumpy(), to_numpy(tensor))
    assert optimizer.global_step.asnumpy().tolist() == [3]
    assert float(optimizer.learning_rate.asnumpy()) == 0.5
    for accum, tensor in zip(optimizer.accum, tensors, strict=True):
        assert_same_bits(accum.asnumpy(), to_numpy(theirs.state[tensor]["sum"]))

    mindspore_step(optimizer, arrays(20))
    path = str(tmp_path / "optimizer.ckpt")
    mindspore.save_checkpoint(optimizer, path)
    back = translate_state("mindspore", "torch", mindspore.load_checkpoint(path), names=NAMES, tensors=True)
    resumed = torch.optim.Adagrad(list(zip(NAMES, [torch.zeros(shape) for shape in SHAPES], strict=True)), lr=9.0)
    resumed.load_state_dict(back)
    assert resumed.param_groups[0]["lr"] == 0.5
    for accum, state in zip(optimizer.accum, resumed.state.values(), strict=True):
        assert_same_bits(to_numpy(state["sum"]), accum.asnumpy())
        assert float(state["step"]) == 4


def test_mindspore_loads_accumulators_into_parameters_that_are_missing() -> None:
    """Why tensors=True needs the parameters: MindSpore takes `accum.` for a prefix of the network's."""
    optimizer = mindspore_adagrad([("a", np.ones(2, np.float32))])
    mindspore.load_param_into_net(optimizer, {"accum.a": parameter("accum.a", np.full(2, 9, np.float32))})
    assert optimizer.parameters[0].asnumpy().tolist() == [9, 9]
    with pytest.raises(TypeError, match=r"^parameters: required with tensors=True, got None$"):
        translate_state("torch", "mindspore", torch_saved(), tensors=True)


def test_names_are_given_or_counted() -> None:
    saved = stepped(TorchAdagrad(arrays(1))).state_dict()
    assert list(translate_state("torch", "mindspore", saved))[2:] == ["accum.param0", "accum.param1", "accum.param2"]
    given = translate_state("torch", "mindspore", saved, names=["x", "y", "z"])
    assert list(given)[2:] == ["accum.x", "accum.y", "accum.z"]
    back = translate_state("mindspore", "torch", given, names=["z", "x", "y"])
    assert back["param_groups"][0]["param_names"] == ["z", "x", "y"]
    assert back["state"][0]["sum"] is saved["state"][2]["sum"]


def test_names_may_repeat_those_of_groups() -> None:
    made = translate_state("mindspore", "torch", MindSporeAdagrad(named(1)).state_dict(), names=NAMES, groups=GROUPS)
    assert [group["param_names"] for group in made["param_groups"]] == GROUPS


def test_parameters_of_mindspore_are_left_out() -> None:
    saved = MindSporeAdagrad(named(1)).state_dict(parameters=True)
    assert len(translate_state("mindspore", "torch", saved)["state"]) == 3


@pytest.mark.parametrize("parameters", [False, True])
def test_a_parameter_that_is_named_like_an_accumulator(parameters: bool) -> None:
    """It was taken for one more accumulator if it was saved, too."""
    source = MindSporeAdagrad({"accum.w": np.full(3, 0.5), "b": np.ones(3)})
    source.step({"accum.w": np.ones(3), "b": None})
    made = translate_state("mindspore", "torch", source.state_dict(parameters=parameters))
    assert made["param_groups"][0]["param_names"] == ["accum.w", "b"]
    assert_same_bits(made["state"][0]["sum"], source.state["accum.w"]["accum"])


def test_a_decayed_rate_of_torch_is_a_schedule_of_mindspore() -> None:
    source = stepped(TorchAdagrad(named(1), lr_decay=0.5))
    made = translate_state("torch", "mindspore", source.state_dict())
    assert "learning_rate" not in made
    target = MindSporeAdagrad(named(2), learning_rate=lambda step: 0.01 / (1 + 0.5 * step))
    target.load_state_dict(made)
    assert target.global_step.tolist() == [3]


def test_lr_replaces_rates_that_torch_cannot_have() -> None:
    for rate in ([0.5, 0.25, 0.1], lambda step: 0.5):
        saved = stepped(MindSporeAdagrad(named(1), learning_rate=rate)).state_dict()
        assert translate_state("mindspore", "torch", saved, lr=0.75)["param_groups"][0]["lr"] == 0.75
    grouped = MindSporeAdagrad(in_groups(1, "lr")).state_dict()
    assert translate_state("mindspore", "torch", grouped, lr=0.75)["param_groups"][0]["lr"] == 0.75


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
