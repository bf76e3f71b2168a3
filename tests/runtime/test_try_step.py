"""`Plan.try_step`, which Python calls without pybind11."""

import numpy as np
import pytest
from numpy_adagrad import TorchAdagrad, _core

MESSAGE = "try_step: expected a list of groups, gradients and an optimizer"


def test_wrong_arguments() -> None:
    opt = TorchAdagrad([np.ones(3, np.float32)])
    plan = opt._bound.plan
    grads = [np.ones(3, np.float32)]
    for arguments in ((), (opt.param_groups, grads), (opt.param_groups, grads, opt, opt), ((), grads, opt)):
        with pytest.raises(TypeError, match=MESSAGE):
            plan.try_step(*arguments)
    with pytest.raises(TypeError, match="no keyword arguments"):
        plan.try_step(opt.param_groups, grads, optimizer=opt)  # type: ignore[call-arg]
    assert opt.steps == 0
    assert plan.try_step(opt.param_groups, grads, opt) == _core.DONE
    assert opt.steps == 1


def test_a_plan_without_init() -> None:
    with pytest.raises(TypeError, match=MESSAGE):
        _core.Plan.__new__(_core.Plan).try_step([], [], None)
    with pytest.raises(TypeError, match="doesn't apply to a 'list' object"):
        _core.Plan.try_step([], [], [], None)  # type: ignore[arg-type]
