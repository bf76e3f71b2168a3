"""State dicts of TorchAdagrad: out of a real torch.optim.Adagrad(fused=True), into one, and among ours."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.errors import raises_unchanged
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from helpers.values import bfloat16, draw
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array

DTYPES = ["float32", "float64", "float16", bfloat16]
SHAPES = [(), (0,), (17,), (4, 5)]
FORMS = ("plain", "named", "groups", "named groups", "tensor rate")
STEPS = 3

# A half type holds these as they are; torch rounds others to it.
EXACT: dict[str, Any] = {"lr": 2**-4, "eps": 2**-8, "weight_decay": 2**-6, "initial_accumulator_value": 2**-3}
# What a fresh optimizer has until it loads.
OTHER: dict[str, Any] = {"lr": 9.0, "lr_decay": 0.5, "eps": 9.0, "weight_decay": 9.0}


def arrange(members: list[Any], form: str) -> list[Any]:
    if "named" in form:
        members = [(f"w{i}", member) for i, member in enumerate(members)]
    if "groups" in form:
        return [{"params": members[:2], "lr": 2**-3, "maximize": True}, {"params": members[2:], "weight_decay": 0}]
    return members


def options_for(dtype: npt.DTypeLike, form: str) -> dict[str, Any]:
    options = dict(EXACT) if np.dtype(dtype).itemsize == 2 else {**EXACT, "lr": 0.037, "lr_decay": 0.01, "eps": 1e-10}
    return {**options, "lr": torch.tensor(options["lr"])} if form == "tensor rate" else options


def draw_all(rng: np.random.Generator, dtype: npt.DTypeLike) -> list[Array]:
    return [draw(rng, shape, dtype, "normal") for shape in SHAPES]


class Unbroken:
    """A fused run of torch in two halves."""

    def __init__(self, dtype: npt.DTypeLike, form: str) -> None:
        rng = np.random.default_rng(1)
        self.start, self.options = draw_all(rng, dtype), options_for(dtype, form)
        self.tensors = [to_torch(p) for p in self.start]
        self.optimizer = torch.optim.Adagrad(arrange(self.tensors, form), fused=True, **self.options)
        self.grads = [draw_all(rng, dtype) for _ in range(2 * STEPS)]

    def run(self, part: list[list[Array]]) -> None:
        for grads in part:
            torch_step(self.optimizer, self.tensors, grads)

    def arrays(self) -> list[Array]:
        return [to_numpy(tensor) for tensor in self.tensors]

    def assert_equals(
        self, params: list[Array], states: Mapping[int, Mapping[str, Array]] | list[dict[str, Array]]
    ) -> None:
        expected = [self.optimizer.state[tensor] for tensor in self.tensors]
        for i, param in enumerate(params):
            assert_same_bits(param, to_numpy(self.tensors[i]), f"parameter {i}")
            for key in ("sum", "step"):
                assert_same_bits(states[i][key], to_numpy(expected[i][key]), f"{key} {i}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_from_torch(dtype: npt.DTypeLike, form: str) -> None:
    theirs = Unbroken(dtype, form)
    theirs.run(theirs.grads[:STEPS])
    params = theirs.arrays()
    ours = TorchAdagrad(arrange(params, form), **OTHER, initial_accumulator_value=2**-3)
    ours.load_state_dict(theirs.optimizer.state_dict())
    theirs.run(theirs.grads[STEPS:])  # would change the loaded arrays if they were not copies
    for grads in theirs.grads[STEPS:]:
        ours.step(grads)
    theirs.assert_equals(params, ours.state)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_into_torch(dtype: npt.DTypeLike, form: str) -> None:
    theirs = Unbroken(dtype, form)
    params = [p.copy() for p in theirs.start]
    options = {**theirs.options, "lr": float(theirs.options["lr"])}
    ours = TorchAdagrad(arrange(params, form), **options)
    for grads in theirs.grads[:STEPS]:
        ours.step(grads)
    tensors = [to_torch(p) for p in params]
    resumed = torch.optim.Adagrad(arrange(tensors, form), **OTHER)
    resumed.load_state_dict(ours.state_dict(tensors=True))
    for grads in theirs.grads[STEPS:]:
        torch_step(resumed, tensors, grads)
    theirs.run(theirs.grads)
    states = [{key: to_numpy(value) for key, value in resumed.state[tensor].items()} for tensor in tensors]
    theirs.assert_equals([to_numpy(tensor) for tensor in tensors], states)
    assert ours.state[0]["step"] == STEPS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [*DTYPES, "complex64", "complex128"], ids=str)
def test_among_ours(dtype: npt.DTypeLike, form: str) -> None:
    rng = np.random.default_rng(2)
    params, grads = draw_all(rng, dtype), [draw_all(rng, dtype) for _ in range(2 * STEPS)]
    unbroken = TorchAdagrad(arrange(params, form), 0.037, 0.01, 0.1, initial_accumulator_value=0.5)
    for part in grads[:STEPS]:
        unbroken.step(part)
    copies = [p.copy() for p in params]
    resumed = TorchAdagrad(arrange(copies, form), **OTHER, initial_accumulator_value=0.5)
    resumed.load_state_dict(unbroken.state_dict())
    for part in grads[STEPS:]:
        unbroken.step(part)
        resumed.step(part)
    assert contents(resumed) == contents(unbroken)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layout_is_that_of_torch(dtype: npt.DTypeLike, form: str) -> None:
    theirs = Unbroken(dtype, form)
    theirs.run(theirs.grads[:STEPS])
    ours = TorchAdagrad(arrange(theirs.arrays(), form), **OTHER, initial_accumulator_value=2**-3)
    ours.load_state_dict(theirs.optimizer.state_dict())
    saved, expected = ours.state_dict(tensors=True), theirs.optimizer.state_dict()
    assert list(saved) == list(expected)
    assert saved["param_groups"] == expected["param_groups"]
    assert {i: list(entry) for i, entry in saved["state"].items()} == {
        i: list(entry) for i, entry in expected["state"].items()
    }
    for i, entry in expected["state"].items():
        for key, tensor in entry.items():
            assert saved["state"][i][key].dtype == tensor.dtype
            assert_same_bits(to_numpy(saved["state"][i][key]), to_numpy(tensor), f"{key} {i}")


@pytest.mark.parametrize("path", [{"foreach": True}, {"foreach": False}, {"fused": True}, {}], ids=str)
def test_every_path_of_torch_is_loaded_and_ours_is_saved(path: dict[str, Any]) -> None:
    tensor = torch.ones(3)
    ours = TorchAdagrad([np.ones(3, np.float32)], fused=False)
    ours.load_state_dict(torch.optim.Adagrad([tensor], lr=0.5, **path).state_dict())
    group = ours.state_dict()["param_groups"][0]
    assert [group[key] for key in ("lr", "foreach", "differentiable", "fused")] == [0.5, None, False, True]
    complex_group = TorchAdagrad([np.ones(3, np.complex64)]).state_dict()["param_groups"][0]
    assert [complex_group[key] for key in ("foreach", "differentiable", "fused")] == [None, False, None]


def test_values_are_live() -> None:
    rate = np.array(0.5)
    ours = TorchAdagrad([np.ones(3)], lr=rate)
    saved, tensors = ours.state_dict(), ours.state_dict(tensors=True)
    ours.step([np.ones(3)])
    assert saved["state"][0]["sum"] is ours.state[0]["sum"]
    assert saved["state"][0]["step"] is ours.state[0]["step"]
    assert saved["param_groups"][0]["lr"] is rate
    assert tensors["state"][0]["step"] == 0


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), np.array(0.5), 0.5, jnp.float32(0.5)])
def test_torch_loads_a_file_of_a_state_dict(number: Any, tmp_path: Path) -> None:
    """Without unpickling: it takes numbers of Python and tensors alone."""
    ours = TorchAdagrad([np.ones(3, np.float32)], lr=number, weight_decay=number)
    torch.save(ours.state_dict(tensors=True), tmp_path / "a")
    theirs = torch.optim.Adagrad([torch.ones(3)])
    theirs.load_state_dict(torch.load(tmp_path / "a", weights_only=True))
    assert theirs.param_groups[0]["lr"] == theirs.param_groups[0]["weight_decay"] == 0.5


def test_loading_no_entry_allocates_nothing(tmp_path: Path) -> None:
    """`allocate` may make a file anew, and so clear an accumulator before a later entry raises an error."""

    def allocate(param: Array, dtype: npt.DTypeLike, value: complex) -> Array:
        made = np.memmap(tmp_path / f"{param.size}", dtype, "w+", shape=param.shape)
        made[...] = value
        return made

    ours = TorchAdagrad([np.ones(3), np.ones(2)], initial_accumulator_value=0.1, allocate=allocate)
    ours.step([np.ones(3), np.ones(2)])
    saved = ours.state_dict()
    wrong = {**saved, "state": {1: {"step": np.float32(1), "sum": np.ones(7)}}}
    message = "state[1]['sum']: expected shape (2,), got (7,)"
    raises_unchanged(ours, ValueError, message, lambda: ours.load_state_dict(wrong))
    ours.load_state_dict({**saved, "state": {1: {"step": np.float32(4), "sum": np.full(2, 9.0)}}})
    assert_same_bits(ours.state[0]["sum"], np.full(3, 0.1))
    assert_same_bits(ours.state[1]["sum"], np.full(2, 9.0))


def test_loaded_values_are_copies() -> None:
    group: dict[str, Any] = {"params": {"a": np.ones(3), "b": np.ones(2)}, "tags": ["mine"]}
    source = TorchAdagrad([group], lr=np.array(0.5))
    ours = TorchAdagrad({"a": np.ones(3), "b": np.ones(2)})
    saved = source.state_dict()
    ours.load_state_dict(saved)
    before = copy.deepcopy(contents(ours))
    saved["param_groups"][0]["lr"][...] = 7
    saved["param_groups"][0]["tags"].append("other")
    saved["param_groups"][0]["param_names"].append("c")
    saved["param_groups"][0]["params"].append(2)
    saved["state"][0]["sum"][...] = 7
    saved["state"][1]["step"][...] = 7
    assert contents(ours) == before
