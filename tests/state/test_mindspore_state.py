"""State dicts of MindSporeAdagrad beside the checkpoints of a real mindspore.nn.Adagrad, in both directions."""

from pathlib import Path
from typing import Any

import mindspore
import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.errors import raises_unchanged
from helpers.mindspore_arrays import TableDecay, TableSchedule, draw_normal, mindspore_step, parameter
from mindspore import Parameter, Tensor, nn
from numpy_adagrad import MindSporeAdagrad
from numpy_adagrad.inputs.types import Array

STEPS = 3
SHAPES = {"conv.weight": (4, 5), "bn.gamma": (7,), "bn.beta": (1,), "fc": (3, 2, 5)}
TABLE = np.array([0.5, 0.1, 0.037, 0.3, 1 / 3, 0.2], np.float32)
OTHER_TABLE = np.array([0.25, 0.3, 0.7, 0.1, 0.9, 0.6], np.float32)
SCHEDULE = (lambda step: TABLE[step], TableSchedule(TABLE))
DECAY = (lambda step: OTHER_TABLE[step], TableDecay(OTHER_TABLE))


def same(value: Any) -> tuple[Any, Any]:
    return value, value


# For each: the constructor's arguments, those of two groups of two if there are any, and an order. Every argument
# is a pair, in our form and in MindSpore's.
CONFIGURATIONS = {
    "default": ({}, None, None),
    "fixed rate": ({"learning_rate": same(0.0123), "weight_decay": same(0.1)}, None, None),
    "list": ({"learning_rate": same(TABLE.tolist()), "loss_scale": same(3.7)}, None, None),
    "array": ({"learning_rate": (TABLE, Tensor(TABLE))}, None, None),
    "schedule": ({"learning_rate": SCHEDULE, "accum": same(0.5)}, None, None),
    "decay by a callable": ({"weight_decay": DECAY}, None, None),
    "groups": ({"learning_rate": same(0.3)}, [{}, {"weight_decay": same(0.1)}], None),
    "one group's rate": ({}, [{"lr": same(0.0123)}, {}], None),
    "both groups' rates": ({}, [{"lr": same(0.5)}, {"lr": same(0.25)}], None),
    "group list": ({"learning_rate": same(0.0123)}, [{}, {"lr": same(TABLE.tolist())}], None),
    "two lists": ({"learning_rate": same(TABLE.tolist())}, [{}, {"lr": same(OTHER_TABLE.tolist())}], None),
    "schedule in a group": ({"learning_rate": same(0.0123)}, [{}, {"lr": SCHEDULE}], None),
    "rate beside a schedule": ({"learning_rate": SCHEDULE}, [{"lr": same(0.0123)}, {}], None),
    "order": ({}, [{"lr": same(0.5)}, {"weight_decay": same(0.1)}], ["bn.beta", "conv.weight", "fc", "bn.gamma"]),
}
each_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


def of_side(side: int, arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: pair[side] for key, pair in arguments.items()}


def build(side: int, own: dict[str, Any], name: str, **override: Any) -> Any:
    """An optimizer of ours (side 0) or MindSpore's (side 1); `own` maps names to that side's parameters."""
    arguments, groups, order = CONFIGURATIONS[name]
    params = list(own.values())
    if groups is not None:
        params = [{"params": params[2 * k : 2 * k + 2], **of_side(side, group)} for k, group in enumerate(groups)]
    if order is not None:
        params.append({"order_params": [own[name] for name in order]})
    return (MindSporeAdagrad, nn.Adagrad)[side](params, **{**of_side(side, arguments), **override})


def build_ours(arrays: dict[str, Array], name: str, **override: Any) -> MindSporeAdagrad:
    ours: MindSporeAdagrad = build(0, {key: (key, array) for key, array in arrays.items()}, name, **override)
    return ours


def build_theirs(arrays: dict[str, Array], name: str) -> nn.Adagrad:
    return build(1, {key: parameter(key, array) for key, array in arrays.items()}, name)


def draw_arrays(dtype: npt.DTypeLike, seed: int = 1) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {key: draw_normal(rng, shape, dtype, "normal") for key, shape in SHAPES.items()}


def draw_grads(dtype: npt.DTypeLike, name: str) -> list[list[Array]]:
    rng, order = np.random.default_rng(2), CONFIGURATIONS[name][2] or SHAPES
    return [[draw_normal(rng, SHAPES[key], dtype, "normal") for key in order] for _ in range(2 * STEPS)]


def checkpoint(optimizer: nn.Adagrad, folder: Path) -> dict[str, Any]:
    path = str(folder / "optimizer.ckpt")
    mindspore.save_checkpoint(optimizer, path)
    saved: dict[str, Any] = mindspore.load_checkpoint(path)
    return saved


def assert_same_entries(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sorted(actual) == sorted(expected)
    for key, array in actual.items():
        value = expected[key]
        assert_same_bits(array, value if isinstance(value, np.ndarray) else value.asnumpy(), key)


def entries(cell: nn.Cell) -> dict[str, Any]:
    return {parameter.name: parameter for parameter in cell.get_parameters()}


@each_configuration
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_from_mindspore(dtype: npt.DTypeLike, name: str, tmp_path: Path) -> None:
    """The keys and values that MindSpore saves, the rest of the run after loading them, all of it with its bits."""
    theirs, grads = build_theirs(draw_arrays(dtype), name), draw_grads(dtype, name)
    for part in grads[:STEPS]:
        mindspore_step(theirs, part)
    saved = checkpoint(theirs, tmp_path)
    arrays = draw_arrays(dtype, seed=3)
    ours = build_ours(arrays, name, accum=9.0)
    ours.load_state_dict(saved, parameters=True)
    assert_same_entries(ours.state_dict(parameters=True), saved)
    for part in grads[STEPS:]:
        mindspore_step(theirs, part)
        ours.step(part)
        assert_same_entries(ours.state_dict(parameters=True), entries(theirs))
    without = {key: value for key, value in entries(theirs).items() if key not in SHAPES}
    assert_same_entries(ours.state_dict(), without)


@each_configuration
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_into_mindspore(dtype: npt.DTypeLike, name: str) -> None:
    grads, arrays = draw_grads(dtype, name), draw_arrays(dtype)
    unbroken, ours = build_theirs(arrays, name), build_ours(arrays, name)
    for part in grads[:STEPS]:
        mindspore_step(unbroken, part)
        ours.step(part)
    resumed = build_theirs(draw_arrays(dtype, seed=3), name)
    saved = {key: Parameter(Tensor(value), name=key) for key, value in ours.state_dict(parameters=True).items()}
    remaining = mindspore.load_param_into_net(resumed, saved, strict_load=True)
    assert remaining == ([], [])
    for part in grads[STEPS:]:
        mindspore_step(unbroken, part)
        mindspore_step(resumed, part)
    assert_same_entries({key: value.asnumpy() for key, value in entries(resumed).items()}, entries(unbroken))


@each_configuration
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("parameters", [False, True])
def test_among_ours(parameters: bool, dtype: npt.DTypeLike, name: str) -> None:
    arrays, grads = draw_arrays(dtype), draw_grads(dtype, name)
    unbroken = build_ours(arrays, name)
    for part in grads[:STEPS]:
        unbroken.step(part)
    saved = unbroken.state_dict(parameters=True)
    own = draw_arrays(dtype, seed=3)
    before = {key: array.copy() for key, array in own.items()}
    resumed = build_ours(own, name, accum=9.0)
    resumed.load_state_dict(saved, parameters=parameters)
    for key, array in own.items():
        assert_same_bits(array, arrays[key] if parameters else before[key], key)
        array[...] = arrays[key]
    for part in grads[STEPS:]:
        unbroken.step(part)
        resumed.step(part)
    assert_same_entries(resumed.state_dict(parameters=True), unbroken.state_dict(parameters=True))


def test_values_are_live_and_loaded_ones_copies() -> None:
    source, own = MindSporeAdagrad({"w": np.ones(3)}, learning_rate=[0.5, 0.25]), np.ones(3)
    saved = source.state_dict(parameters=True)
    assert saved["accum.w"] is source.state[0]["accum"]
    assert saved["global_step"] is source.global_step
    assert saved["w"] is source.param_groups[0]["params"][0]
    ours = MindSporeAdagrad({"w": own}, learning_rate=[0.0, 0.0])
    ours.load_state_dict(saved, parameters=True)
    before = contents(ours)
    for array in saved.values():
        array[...] = 7
    assert contents(ours) == before
    assert ours.param_groups[0]["params"][0] is own


@pytest.mark.parametrize("named_here", [False, True])
@pytest.mark.parametrize("parameters", [False, True])
def test_automatic_names_are_matched_by_position(named_here: bool, parameters: bool) -> None:
    """As in files."""
    named = {"b": np.full(3, 2.0), "accum.a": np.full(3, 3.0)}
    numbered = [array + 2 for array in named.values()]
    source, target = MindSporeAdagrad(numbered), MindSporeAdagrad(named)
    if not named_here:
        source, target = target, source
    source.step([np.full(3, 5.0), np.full(3, 7.0)])
    names, values = list(target.names), [param.copy() for param in target.param_groups[0]["params"]]
    target.load_state_dict(source.state_dict(parameters=parameters), parameters=parameters)
    assert target.names == names
    for i, (one, other) in enumerate(zip(*(o.param_groups[0]["params"] for o in (target, source)), strict=True)):
        assert_same_bits(target.state[i]["accum"], source.state[i]["accum"])
        assert_same_bits(one, other if parameters else values[i])


def test_another_number_of_automatic_names() -> None:
    optimizer, other = MindSporeAdagrad({"w": np.ones(3)}), MindSporeAdagrad([np.ones(3), np.ones(3)])
    message = "state_dict: expected 1 entries accum.<name>, got ['accum.param0', 'accum.param1']"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.load_state_dict(other.state_dict()))


def test_unnamed_arrays_are_numbered() -> None:
    ours = MindSporeAdagrad([{"params": [np.ones(2)]}, {"params": [np.ones(3), np.ones(1)], "lr": 0.5}])
    assert list(ours.state_dict(parameters=True)) == [
        "global_step", "learning_rate", "learning_rate_group_1", "param0", "param1", "param2",
        "accum.param0", "accum.param1", "accum.param2",
    ]  # fmt: skip


def test_the_counter_is_changed_in_place() -> None:
    opt = MindSporeAdagrad([np.ones(6)])
    counter = opt.global_step
    opt.global_step[...] = 5
    opt.global_step += 1
    opt.global_step = opt.global_step + 1
    opt.step([np.ones(6)])
    assert opt.global_step is counter
    assert opt.state_dict()["global_step"] == counter == 8
