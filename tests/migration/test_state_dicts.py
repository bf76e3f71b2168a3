"""translate_state: the state of one framework continues in the other."""

from typing import Any

import mindspore
import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.mindspore_arrays import mindspore_adagrad, mindspore_step, parameter
from helpers.three_arrays import GROUPS, NAMES, SHAPES, arrays, in_groups, named, stepped
from helpers.torch_arrays import to_numpy, torch_step
from helpers.torch_arrays import to_torch as tensor_of
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate_state
from numpy_adagrad.inputs.types import Array


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
        translate_state("torch", "mindspore", stepped(TorchAdagrad(named(1))).state_dict(), tensors=True)


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
