"""Loading values that lie in the optimizer's own arrays: each target gets the value from before the first write."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.mindspore_arrays import parameter
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, from_mindspore, to_mindspore, to_torch, translate_state
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer


def stepped(dialect: Dialect, params: list[Array]) -> Any:
    optimizer = dialect.make(params)
    optimizer.step([np.full_like(param, i + 1) for i, param in enumerate(params)])
    return optimizer


def with_accumulators(optimizer: Optimizer, arrays: Mapping[int, Array]) -> dict[str, Any]:
    """The optimizer's state dict with other accumulators, by the parameters' indices."""
    state_dict = optimizer.state_dict()
    if "state" not in state_dict:
        return {**state_dict, **{f"accum.{optimizer.names[i]}": array for i, array in arrays.items()}}
    key = optimizer._accumulator
    return {**state_dict, "state": {i: {**state_dict["state"][i], key: array} for i, array in arrays.items()}}


def test_exchanged_entries_end_exchanged(dialect: Dialect) -> None:
    optimizer = stepped(dialect, [np.ones((3, 4)), np.ones((3, 4)), np.ones((3, 4))])
    live = dialect.accumulators(optimizer)
    before = [array.copy() for array in live]
    optimizer.load_state_dict(with_accumulators(optimizer, {0: live[1], 1: live[2], 2: live[0]}))
    for array, old in zip(live, [before[1], before[2], before[0]], strict=True):
        assert_same_bits(array, old)


def test_views_of_targets_are_read_before_they_are_written(dialect: Dialect) -> None:
    """Of another layout, reversed, and across two targets in one table."""
    optimizer = stepped(dialect, [np.ones((4, 4)), np.arange(16.0).reshape(4, 4)])
    live = dialect.accumulators(optimizer)
    live[0][...] = np.arange(16).reshape(4, 4)
    before = [array.copy() for array in live]
    optimizer.load_state_dict(with_accumulators(optimizer, {0: live[1][::-1], 1: live[0].T}))
    assert_same_bits(live[0], before[1][::-1])
    assert_same_bits(live[1], before[0].T)


def test_rows_of_one_table_are_exchanged(dialect: Dialect) -> None:
    table = np.zeros((3, 5))
    rows = iter(table)

    def allocate(param: Array, dtype: Any, value: complex) -> Array:
        row = next(rows)
        row[...] = value
        return row

    optimizer = dialect.make(list(np.ones((3, 5))), allocate=allocate)
    table[...] = np.arange(15).reshape(3, 5)
    shifted = np.concatenate([table[1:], table[:1]])
    optimizer.load_state_dict(with_accumulators(optimizer, {0: table[1], 1: table[2], 2: table[0]}))
    assert_same_bits(table, shifted)


def test_empty_parameters_do_not_matter(dialect: Dialect) -> None:
    optimizer = stepped(dialect, [np.ones((0, 3)), np.ones(2), np.ones((2, 0)), np.ones(2)])
    live = dialect.accumulators(optimizer)
    before = [array.copy() for array in live]
    optimizer.load_state_dict(with_accumulators(optimizer, {0: live[0], 1: live[3], 2: live[2], 3: live[1]}))
    assert_same_bits(live[1], before[3])
    assert_same_bits(live[3], before[1])


def test_a_state_dict_of_its_own_changes_nothing(dialect: Dialect) -> None:
    optimizer = stepped(dialect, [np.ones(3), np.ones(3)])
    before = [array.copy() for array in dialect.accumulators(optimizer)]
    optimizer.load_state_dict(optimizer.state_dict())
    for array, old in zip(dialect.accumulators(optimizer), before, strict=True):
        assert_same_bits(array, old)


def test_exchanged_parameters_end_exchanged() -> None:
    params = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    optimizer = MindSporeAdagrad(params)
    state_dict = optimizer.state_dict(parameters=True)
    optimizer.load_state_dict({**state_dict, "a": state_dict["b"], "b": state_dict["a"]}, parameters=True)
    assert (params["a"].tolist(), params["b"].tolist()) == ([3, 4], [1, 2])


def test_parameters_are_exchanged_with_accumulators() -> None:
    params = {"a": np.array([1.0, 2.0])}
    optimizer = MindSporeAdagrad(params, accum=0.5)
    state_dict = optimizer.state_dict(parameters=True)
    optimizer.load_state_dict({**state_dict, "a": state_dict["accum.a"], "accum.a": state_dict["a"]}, parameters=True)
    assert (params["a"].tolist(), optimizer.state[0]["accum"].tolist()) == ([0.5, 0.5], [1, 2])


def test_exchanged_entries_of_a_translated_state_dict() -> None:
    ours = TorchAdagrad({"a": np.ones(2), "b": np.ones(2)})
    ours.step({"a": np.full(2, 2.0), "b": np.full(2, 3.0)})
    theirs = translate_state("torch", "mindspore", ours.state_dict())
    exchanged = {**theirs, "accum.a": theirs["accum.b"], "accum.b": theirs["accum.a"]}
    ours.load_state_dict(translate_state("mindspore", "torch", exchanged))
    assert [ours.state[i]["sum"].tolist() for i in range(2)] == [[9, 9], [4, 4]]


def test_torch_tensors_over_the_same_memory_are_exchanged() -> None:
    arrays = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    optimizer = torch.optim.Adagrad([torch.from_numpy(arrays[1]), torch.from_numpy(arrays[0])])
    to_torch(TorchAdagrad(arrays), optimizer)
    assert [array.tolist() for array in arrays] == [[3, 4], [1, 2]]


def test_mindspore_parameters_over_the_same_memory_are_exchanged() -> None:
    own = [parameter("a", np.array([1, 2], np.float32)), parameter("b", np.array([3, 4], np.float32))]
    ours = from_mindspore(nn.Adagrad(own))
    own[0].name, own[1].name = "b", "a"
    to_mindspore(ours, nn.Adagrad(own[::-1]))
    assert [param.asnumpy().tolist() for param in own] == [[3, 4], [1, 2]]
