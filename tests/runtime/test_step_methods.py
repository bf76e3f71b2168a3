"""The methods of `Plan` that take a step: Python calls them without pybind11."""

import numpy as np
import pytest
from numpy_adagrad import TorchAdagrad, _core

MESSAGE = "Plan: expected a list of groups, gradients, an optimizer and options"


def test_wrong_arguments() -> None:
    opt = TorchAdagrad([np.ones(3, np.float32)])
    plan, groups, grads = opt._bound.plan, opt.param_groups, [np.ones(3, np.float32)]
    too_many = (1.0, None, 1.0, False, None, False, False)
    for method in (plan.try_step, plan.step, plan.check_step):
        for arguments in ((), (groups, grads), ((), grads, opt), (groups, grads, opt, *too_many)):
            with pytest.raises(TypeError, match=MESSAGE):
                method(*arguments)
        with pytest.raises(TypeError, match="no keyword arguments"):
            method(groups, grads, optimizer=opt)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=MESSAGE):
        plan.try_step(groups, grads, opt, 1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="must be real number, not str"):
        plan.step(groups, grads, opt, "1")  # type: ignore[arg-type]
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
