"""What an optimizer tells of its progress: rates, steps, state by name."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.values import ones
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, schedules


def test_last_rate(dialect: Dialect) -> None:
    key = dialect.group_rate
    groups = [{"params": [ones()]}, {"params": [ones()], key: schedules.exponential(0.5, 0.5)}]
    optimizer = dialect.optimizer(groups)
    fixed = optimizer.param_groups[0][key]
    assert optimizer.last_lr == [fixed, 0.5]
    for last in (0.5, 0.25, 0.125):
        optimizer.step([ones(), ones()])
        assert optimizer.last_lr == [fixed, last]
    optimizer.param_groups[0][key] = np.array(0.75)
    assert optimizer.last_lr == [0.75, 0.125]
    assert [type(rate) for rate in optimizer.last_lr] == [float, float]


def test_last_rate_is_that_of_the_last_step_with_a_result(dialect: Dialect) -> None:
    key = dialect.group_rate
    optimizer = dialect.optimizer([{"params": [ones()], key: schedules.exponential(0.5, 0.5)}])
    for _ in range(2):
        optimizer.step([ones()])
    optimizer.step([np.full(3, np.inf, np.float32)], on_nonfinite="skip")
    assert (optimizer.last_lr, optimizer.steps, optimizer.skipped_steps) == ([0.25], 2, 1)


def test_last_rates_follow_their_groups(dialect: Dialect) -> None:
    """So do those of state dicts and checkpoints. A callable that no step has called has no last rate."""
    key = dialect.group_rate
    optimizer = dialect.optimizer(
        [{"params": [ones()], key: schedules.exponential(rate, 0.5)} for rate in (0.5, 0.25, 0.125)]
    )
    for _ in range(2):
        optimizer.step([ones()] * 3)
    optimizer.param_groups.reverse()
    assert optimizer.last_lr == [0.0625, 0.125, 0.25]
    del optimizer.param_groups[0]
    assert optimizer.last_lr == [0.125, 0.25]
    assert copy.deepcopy(optimizer).last_lr == [0.125, 0.25]
    optimizer.param_groups[0][key] = schedules.constant(3)
    assert optimizer.last_lr == [3, 0.25]


def test_last_rate_of_a_schedule_that_replaces_another(dialect: Dialect) -> None:
    """Until the next step, it is that which the last step would have used, as if it had always been there."""
    key = dialect.group_rate
    groups = [{"params": [ones()], key: schedules.exponential(1.0, 0.5)} for _ in range(2)]
    optimizer = dialect.optimizer(groups)
    for _ in range(3):
        optimizer.step([ones(), ones()])
    for group in optimizer.param_groups:
        group[key] = schedules.exponential(0.5, 0.5)
    assert optimizer.last_lr == [0.125, 0.125]
    optimizer.step([ones(), ones()])
    assert optimizer.last_lr == [0.0625, 0.0625]


def test_last_rate_of_a_schedule_in_a_group_with_other_steps() -> None:
    """Each parameter of torch's rule has its own number of steps."""
    optimizer = TorchAdagrad([{"params": [ones(), ones()]}, {"params": [ones()]}])
    for _ in range(3):
        optimizer.step([ones(), None, None])
    for group in optimizer.param_groups:
        group["lr"] = schedules.exponential(0.5, 0.5)
    assert optimizer.last_lr == [0.125, 0.5]
    assert [group["lr"] for group in optimizer.state_dict()["param_groups"]] == [0.125, 0.5]


def test_last_rate_of_a_list() -> None:
    optimizer = MindSporeAdagrad([ones()], learning_rate=[0.5, 0.25])
    assert optimizer.last_lr == [0.5]
    for last in (0.5, 0.25):
        optimizer.step([ones()])
        assert optimizer.last_lr == [last]
    optimizer.global_step = 5
    assert optimizer.last_lr == [0.25]
    optimizer.param_groups[0]["lr"] = [0.75]
    assert optimizer.last_lr == [0.75]


def test_last_rate_of_a_run_that_continues(tmp_path: Path) -> None:
    """MindSpore's state dicts do not have the values of callables, which come from `global_step`, as those of lists."""
    first, resumed = (
        MindSporeAdagrad([ones()], learning_rate=schedules.exponential(0.5, 0.5), weight_decay=lambda step: step / 8)
        for _ in range(2)
    )
    for _ in range(3):
        first.step([ones()])
    resumed.load_state_dict(first.state_dict())
    assert resumed.last_lr == first.last_lr == [0.125]
    for optimizer in (first, resumed):
        optimizer.save(tmp_path / "a")
        number = MindSporeAdagrad([ones()])
        number.load(tmp_path / "a")
        assert [number.param_groups[0][key] for key in ("lr", "weight_decay")] == [0.125, 0.25]


def test_an_empty_list_of_rates() -> None:
    """MindSpore takes it, too; no step can follow."""
    optimizer = MindSporeAdagrad([ones()], learning_rate=[])
    for action in (lambda: optimizer.last_lr, lambda: optimizer.step([ones()])):
        raises(RuntimeError, "learning_rate: expected a rate for global_step 0, got a sequence of 0", action)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (2.9, ValueError, "expected a whole number of steps, got 2.9"),
        (-1, ValueError, "expected a whole number of steps, got -1.0"),
        (np.nan, ValueError, "expected a whole number of steps, got nan"),
        (2**40, ValueError, f"expected a number of steps within int32, got {2**40}"),
        ("x", TypeError, "expected a number or a 1-element array, got str"),
        ([1, 2], TypeError, "expected a number or a 1-element array, got list"),
    ],
)
def test_global_step_is_a_number_of_steps(value: Any, error: type[Exception], message: str) -> None:
    optimizer = MindSporeAdagrad([ones()])
    optimizer.global_step = 3
    raises_unchanged(optimizer, error, f"global_step: {message}", lambda: setattr(optimizer, "global_step", value))


def test_the_last_global_step() -> None:
    """The counter wrapped around, as MindSpore's does; it could not be saved then."""
    optimizer = MindSporeAdagrad([ones()])
    optimizer.global_step = 2**31 - 2
    optimizer.step([ones()])
    assert optimizer.steps == 2**31 - 1
    message = "global_step: expected fewer steps, got the largest number that it can count"
    raises_unchanged(optimizer, OverflowError, message, lambda: optimizer.step([ones()]))
    optimizer.global_step = 0
    optimizer.step([ones()])
    assert optimizer.steps == 1


@pytest.mark.parametrize("rate", [0.5, [0.5, 0.25], lambda step: 0.5], ids=["number", "list", "schedule"])
def test_a_negative_global_step(rate: Any) -> None:
    """It can be written into the array; a schedule was called with it."""
    optimizer = MindSporeAdagrad([ones()], learning_rate=rate)
    optimizer.global_step[0] = -1
    message = "global_step: expected a whole number of steps, got -1.0"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([ones()]))
    raises(ValueError, message, lambda: optimizer.steps)


def test_steps(dialect: Dialect) -> None:
    optimizer = dialect.optimizer({"a": ones(), "b": ones(2)})
    assert optimizer.steps == 0
    for count in (1, 2, 3):
        optimizer.step([ones(), None])
        assert optimizer.steps == count
    assert type(optimizer.steps) is int
    with pytest.raises(AttributeError):
        optimizer.steps = 5


def test_steps_of_an_optimizer_without_parameters() -> None:
    assert TorchAdagrad([{"params": []}]).steps == 0


def test_state_by_name(dialect: Dialect) -> None:
    optimizer = dialect.optimizer({"W": ones((2, 3)), "b": ones()})
    role = dialect.optimizer._accumulator
    for index, name in enumerate(("W", "b")):
        assert optimizer.state[name][role] is optimizer.state[index][role]
        assert name in optimizer.state
    assert list(optimizer.state) == [0, 1]
    for missing in ("c", 2, -1):
        assert missing not in optimizer.state
        with pytest.raises(KeyError, match=str(missing)):
            optimizer.state[missing]
    optimizer.param_groups[0]["param_names"][:] = ["V", "c"]
    assert optimizer.state["c"][role] is optimizer.state[1][role]
    assert "b" not in optimizer.state


def stepped(groups: Any) -> TorchAdagrad:
    optimizer = TorchAdagrad(groups, lr=0.25)
    optimizer.step([np.full_like(p, i + 1.0) for i, p in enumerate(flat(optimizer))])
    return optimizer


def flat(optimizer: TorchAdagrad) -> list[Any]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def test_state_dicts_match_by_name() -> None:
    """Groups and parameters may stand in another order."""
    saved = stepped([{"params": {"a": ones(), "b": ones(2)}, "lr": 0.5}, {"params": {"c": ones()}}])
    other = TorchAdagrad([{"params": {"c": ones()}}, {"params": {"b": ones(2), "a": ones()}}], eps=0.5)
    for tensors in (False, True):
        other.load_state_dict(saved.state_dict(tensors=tensors))
        assert [group["lr"] for group in other.param_groups] == [0.25, 0.5]
        assert other.names == ["c", "b", "a"]
        for name in "abc":
            assert_same_bits(other.state[name]["sum"], saved.state[name]["sum"])
            assert other.state[name]["step"] == 1
    assert other.last_lr == [0.25, 0.5]
    other.step({"a": None, "b": None, "c": ones()})


def test_state_dicts_without_names_match_by_position() -> None:
    saved, other = stepped([ones(), ones()]), TorchAdagrad({"a": ones(), "b": ones()})
    other.load_state_dict(saved.state_dict())
    assert other.names == ["a", "b"]
    assert_same_bits(other.state["b"]["sum"], saved.state[1]["sum"])


def test_names_of_a_state_dict_are_kept() -> None:
    """Where the optimizer has none, as in torch."""
    saved, other = stepped({"a": ones(), "b": ones()}), TorchAdagrad([ones(), ones()])
    state = saved.state_dict()
    other.load_state_dict(state)
    assert other.names == ["a", "b"]
    other.step({"b": None, "a": ones()})
    assert [other.state[name]["step"].item() for name in "ab"] == [2, 1]
    state["param_groups"][0]["param_names"][0] = "z"
    assert other.names == ["a", "b"]


def test_loaded_names_must_differ() -> None:
    saved, other = stepped({"a": ones(), "b": ones()}), TorchAdagrad([ones(), ones()])
    state = saved.state_dict()
    state["param_groups"][0]["param_names"] = ["a", "a"]
    with pytest.raises(ValueError, match="params: expected unique names, got 'a' twice"):
        other.load_state_dict(state)
    assert other.names == []
