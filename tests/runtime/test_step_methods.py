"""The methods of `Plan` that take a step: Python calls them without pybind11."""

from typing import Any

import numpy as np
import pytest
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
