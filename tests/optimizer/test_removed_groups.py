"""Groups that have been removed no longer count when another one is added, whether or not a step came between."""

from typing import Any

import numpy as np
import pytest
from helpers.dialects import Dialect
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad


def zeros(*lengths: int) -> list[dict[str, Any]]:
    return [{"params": [np.zeros(length)]} for length in lengths]


@pytest.mark.parametrize("steps", [0, 1])
def test_a_name_is_free_again(dialect: Dialect, steps: int) -> None:
    groups: Any = [{"params": {"a": np.zeros(3)}}, {"params": {"b": np.zeros(3)}}]
    optimizer = dialect.optimizer(groups)
    del optimizer.param_groups[1]
    for _ in range(steps):
        optimizer.step({"a": np.ones(3)})
    added = np.zeros(5)
    optimizer.add_param_group({"params": {"b": added}})
    optimizer.step({"a": np.ones(3), "b": np.ones(5)})
    assert optimizer.names == ["a", "b"]
    assert (added < 0).all()


def test_memory_is_free_again(dialect: Dialect) -> None:
    whole = np.zeros(6)
    optimizer = dialect.optimizer([{"params": [np.zeros(3)]}, {"params": [whole]}])
    del optimizer.param_groups[1]
    optimizer.add_param_group({"params": [whole[:3], whole[3:]]})
    optimizer.step([np.ones(3)] * 3)
    assert (whole < 0).all()


@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize("position", [0, 1])
def test_a_parameter_that_has_left_its_group(dialect: Dialect, position: int, kept: int) -> None:
    params = {"a": np.zeros(3), "b": np.zeros(3)}
    groups: list[dict[str, Any]] = [{"params": {"other": np.zeros(3)}}]
    groups.insert(position, {"params": params})
    optimizer = dialect.optimizer(groups)
    group, name = optimizer.param_groups[position], "ba"[kept]
    del group["params"][1 - kept], group["param_names"][1 - kept]
    optimizer.add_param_group({"params": {name: params[name][1:]}})
    optimizer.step([np.ones(3), np.ones(3), np.ones(2)])
    assert set(optimizer.names[:2]) == {"other", "ab"[kept]}
    assert optimizer.names[2] == name
    assert params[name].tolist()[0] == 0
    assert (params[name][1:] < 0).all()


@pytest.mark.parametrize("steps", [0, 1])
def test_the_last_group_is_replaced(dialect: Dialect, steps: int) -> None:
    optimizer = dialect.optimizer(zeros(3))
    optimizer.step([np.ones(3)])
    optimizer.param_groups.clear()
    for _ in range(steps):
        optimizer.step([])
    optimizer.add_param_group(*zeros(5))
    optimizer.step([np.ones(5)])
    assert optimizer.steps == (1 if dialect.optimizer is TorchAdagrad else 2 + steps)


def test_automatic_names_are_in_order() -> None:
    optimizer = MindSporeAdagrad(zeros(2, 3))
    del optimizer.param_groups[1]
    optimizer.add_param_group(*zeros(4))
    assert optimizer.names == ["param0", "param1"]


def test_lists_of_rates_have_the_length_of_those_that_are_left() -> None:
    optimizer = MindSporeAdagrad([{**zeros(2)[0], "lr": [0.5, 0.25, 0.125]}])
    optimizer.param_groups[0]["lr"] = np.full(5, 0.5, np.float32)
    with pytest.raises(ValueError, match=r"^learning_rate: expected sequences of one length, got \[3, 5\]$"):
        optimizer.add_param_group({**zeros(4)[0], "lr": [0.5] * 3})
    optimizer.add_param_group({**zeros(4)[0], "lr": [0.5] * 5})
    optimizer.step([np.ones(2), np.ones(4)])
    assert optimizer.last_lr == [0.5, 0.5]


def test_the_norm_stays(dialect: Dialect) -> None:
    optimizer = dialect.optimizer(zeros(2, 2))
    optimizer.step([np.ones(2)] * 2, max_norm=1.0)
    optimizer.param_groups.reverse()
    optimizer.state_dict()
    assert optimizer.grad_norm == 2.0
