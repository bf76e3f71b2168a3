"""The methods of `Plan` that take a step: Python calls them without pybind11."""

from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import raises
from helpers.values import normal, zeros
from numpy_adagrad import TorchAdagrad, _core

MESSAGE = "Plan: expected a list of groups, gradients, an optimizer, and a tuple of up to 6 options"
WRONG: tuple[Any, ...] = (1.0, [1.0], (1.0, None, 1.0, False, None, False, False))


def test_wrong_arguments() -> None:
    opt = TorchAdagrad([np.ones(3, np.float32)])
    plan, groups, grads = opt._bound.plan, opt.param_groups, [np.ones(3, np.float32)]
    calls: list[tuple[Any, ...]] = [(), (groups, grads), ((), grads, opt)]
    for method in (plan.try_step, plan.step, plan.check_step):
        for arguments in (*calls, *((groups, grads, opt, wrong) for wrong in WRONG)):
            with pytest.raises(TypeError, match=MESSAGE):
                method(*arguments)
        with pytest.raises(TypeError, match="no keyword arguments"):
            method(groups, grads, optimizer=opt)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="must be real number, not str"):
        plan.step(groups, grads, opt, ("1", None, 1.0, False))  # type: ignore[arg-type]
    assert opt.steps == 0
    assert plan.check_step(groups, grads, opt) == _core.SKIPPED
    assert opt.steps == 0
    assert plan.try_step(groups, grads, opt) == _core.DONE
    assert opt.steps == 1


def test_a_plan_without_init() -> None:
    with pytest.raises(TypeError, match=MESSAGE):
        _core.Plan.__new__(_core.Plan).try_step([], [], None)
    with pytest.raises(TypeError, match="doesn't apply to a 'list' object"):
        _core.Plan.try_step([], [], [], None)  # type: ignore[arg-type]


def test_groups_that_were_not_added_leave_no_names() -> None:
    groups: list[Any] = [{"params": [normal(3)], "param_names": ["w"]}]
    plan, index = _core.Plan("memory_bound", ("params", "states", "grads", "counters")), np.zeros(1, np.int32)
    message = "states: expected an array for each parameter"
    raises(ValueError, message, lambda: plan.add_groups(groups, [], [], ["v"], index))
    plan.add_groups(groups, [zeros(3)], [], groups[0]["param_names"], index)
    assert plan.is_current(groups)
    assert plan.try_step(groups, {"w": normal(3)}, None) == _core.DONE
    assert plan.try_step(groups, {"v": normal(3)}, None) == _core.STALE


def test_the_norm_of_a_part() -> None:
    """Where ranks have parts of the gradients, one call takes the norm of a part, and the next gets that of all."""
    w = np.ones(2, np.float32)
    opt = TorchAdagrad([w], lr=1.0, eps=0)
    plan, grads = opt._bound.plan, [np.array([3, 4], np.float32)]
    assert plan.step(opt.param_groups, grads, opt, (1.0, 1.0, 1.0, False, None, True)) == _core.SKIPPED
    assert plan.grad_norm == 5
    assert opt.steps == 0
    assert plan.step(opt.param_groups, grads, opt, (1.0, 1.0, 1.0, False, 10.0)) == _core.DONE
    assert_same_bits(opt.state[0]["sum"], (grads[0] * np.float32(1 / (10 + 1e-6))) ** 2)


def test_an_option_of_minus_one_is_no_error() -> None:
    """The core does not check ranges, and Python returns -1 for an error, too."""
    opt = TorchAdagrad([np.ones(3, np.float32)])
    plan, groups, grads = opt._bound.plan, opt.param_groups, [np.ones(3, np.float32)]
    for option in (-1.0, -2.0):
        assert plan.step(groups, grads, opt, (1.0, option, 1.0, False)) == _core.DONE
    for wrong in (object(), "1"):
        with pytest.raises(TypeError, match="must be real number"):
            plan.step(groups, grads, opt, (1.0, wrong, 1.0, False))  # type: ignore[arg-type]
    assert opt.steps == 2
