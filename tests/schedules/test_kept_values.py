"""What an optimizer keeps of its schedules: their last values, in groups that change, and in copies."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.values import ones
from numpy_adagrad import TorchAdagrad


def inverse(steps: int) -> float:
    return 1 / (1 + steps)


def test_an_option_that_schedules_change_and_change_back(dialect: Dialect) -> None:
    """The value in between stayed."""
    plain = 0.0

    def change(steps: int) -> float:
        if steps == 0:
            optimizer.param_groups[1]["weight_decay"] = 0.5
        return 0.25

    def change_back(steps: int) -> float:
        optimizer.param_groups[1]["weight_decay"] = plain
        return 0.25

    params, expected = [ones(), ones()], [ones(), ones()]
    groups = [
        {"params": [param], "lr": rate, "weight_decay": plain}
        for param, rate in zip(params, (change, change_back), strict=True)
    ]
    optimizer, other = dialect.optimizer(groups), dialect.optimizer(expected, **{dialect.rate: 0.25})
    for _ in range(3):
        optimizer.step([ones(), ones()])
        other.step([ones(), ones()])
    for param, right in zip(params, expected, strict=True):
        assert_same_bits(param, right)


def shared_schedule() -> TorchAdagrad:
    """Two groups with one schedule, after 4 steps of the first and 1 of the second."""
    optimizer = TorchAdagrad([{"params": [ones()]}, {"params": [ones()]}], lr=inverse)
    optimizer.step([ones(), ones()])
    for _ in range(3):
        optimizer.step([ones(), None])
    assert optimizer.last_lr == [0.25, 1.0]
    return optimizer


def test_groups_with_one_schedule_keep_their_own_rates_in_another_order() -> None:
    optimizer = shared_schedule()
    optimizer.param_groups.reverse()
    for one in (optimizer, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert one.last_lr == [1.0, 0.25]
        assert [group["lr"] for group in one.state_dict()["param_groups"]] == [1.0, 0.25]


def test_groups_with_one_schedule_keep_their_own_rates_when_one_leaves_or_comes() -> None:
    optimizer = shared_schedule()
    optimizer.add_param_group({"params": [ones()], "lr": inverse})
    assert optimizer.last_lr == [0.25, 1.0, 1.0]
    del optimizer.param_groups[0]
    assert optimizer.last_lr == [1.0, 1.0]


def test_groups_without_parameters_have_their_own_rates() -> None:
    optimizer = TorchAdagrad([{"params": []}, {"params": []}], lr=inverse)
    saved = optimizer.state_dict()
    for group, rate in zip(saved["param_groups"], (0.5, 0.125), strict=True):
        group["lr"] = rate
    optimizer.load_state_dict(saved)
    assert copy.deepcopy(optimizer).last_lr == optimizer.last_lr == [0.5, 0.125]


def skip(optimizer: Any) -> None:
    optimizer.step([np.full(3, np.inf, np.float32)], on_nonfinite="skip")


def fail(optimizer: Any) -> None:
    with pytest.raises(ValueError, match="expected shape"):
        optimizer.step([ones(4)])


@pytest.mark.parametrize("step", [lambda optimizer: optimizer.step([ones()]), skip, fail])
def test_a_schedule_that_was_replaced_is_not_pickled(dialect: Dialect, step: Callable[[Any], None]) -> None:
    optimizer = dialect.make([ones()])
    optimizer.param_groups[0]["lr"] = lambda steps: 0.25  # cannot be pickled
    step(optimizer)
    optimizer.param_groups[0]["lr"] = 0.5
    assert pickle.loads(pickle.dumps(optimizer)).last_lr == [0.5]


def test_a_copy_made_while_a_step_is_checked_calls_its_own_schedules() -> None:
    copies: list[Any] = []

    def rate(steps: int) -> float:
        copies.append(copy.deepcopy(optimizer))
        return 0.5

    optimizer = TorchAdagrad([{"params": [ones()], "lr": inverse}, {"params": [ones()], "lr": rate}])
    with optimizer._calling_schedules_once():
        optimizer._check_step([ones(), ones()], None, None, "propagate")
    copies[0].param_groups[0]["lr"] = lambda steps: 0.25
    copies[0].step([ones(), ones()])
    assert copies[0].last_lr == [0.25, 0.5]


def test_a_schedule_that_removes_a_later_group(dialect: Dialect) -> None:
    """The error was that of a list, of the package's own."""

    def rate(steps: int) -> float:
        del optimizer.param_groups[1:]
        return 0.25

    optimizer = dialect.optimizer([{"params": [ones()], "lr": rate}, {"params": [ones()], "lr": rate}])
    with pytest.raises(ValueError, match="grads: expected 1, one for each parameter, got 2"):
        optimizer.step([ones(), ones()])
    assert optimizer.steps == 0
    optimizer.step([ones()])
    assert optimizer.steps == 1
