"""Mistakes whose message names the cure: misspelt names, assignments without effect, closures, schedulers of torch."""

from collections import deque
from typing import Any

import numpy as np
import pytest
import torch
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.two_groups import gradients, start
from helpers.values import ones
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, schedules

SCHEDULES = "; numpy_adagrad.schedules has such rates, and schedulers of torch take a numpy_adagrad.torch.Adagrad"


@pytest.mark.parametrize(
    ("key", "meant"),
    [("weight_dcay", "weight_decay"), ("LR", "lr"), ("lrs", "lr"), ("param_name", "param_names")],
)
def test_misspelt_key_of_a_group(key: str, meant: str) -> None:
    message = f"param_groups: expected names of options, got '{key}'; did you mean '{meant}'?"
    raises(KeyError, message, lambda: TorchAdagrad([{"params": [ones()], key: 0.1}]))
    optimizer = TorchAdagrad([ones()])
    raises_unchanged(optimizer, KeyError, message, lambda: optimizer.add_param_group({"params": [ones()], key: 0.1}))


@pytest.mark.parametrize("key", ["name", "initial_lr", "max_lr", "min_lr", "lr_scale", "swa_lr", "base_momentum"])
def test_torch_keeps_other_keys(key: str) -> None:
    """Some are written by the schedulers of torch."""
    assert TorchAdagrad([{"params": [ones()], key: 0.1}]).param_groups[0][key] == 0.1


def test_misspelt_key_of_mindspore() -> None:
    known = "group: expected keys among ['params', 'lr', 'weight_decay', 'grad_centralization'], got "
    message = known + "'weight_dcay'; did you mean 'weight_decay'?"
    raises(KeyError, message, lambda: MindSporeAdagrad([{"params": [ones()], "weight_dcay": 0.1}]))


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("learning_rate", "MindSpore calls it lr"),
        ("accum", "all groups share it: give accum to the constructor"),
        ("state_dtype", "all groups share it: give state_dtype to the constructor"),
        ("allocate", "all groups share it: give allocate to the constructor"),
        ("maximize", "MindSpore has no such option: negate the gradients"),
        ("initial_accumulator_value", "all groups share it: give accum to the constructor"),
        ("lr_decay", "MindSpore has no such option: give lr as a callable or a list"),
    ],
)
def test_other_names_in_a_group_of_mindspore(key: str, hint: str) -> None:
    known = "group: expected keys among ['params', 'lr', 'weight_decay', 'grad_centralization'], got "
    message = f"{known}'{key}'; {hint}"
    raises(KeyError, message, lambda: MindSporeAdagrad([{"params": [ones()], key: 0.1}]))


def test_misspelt_params(dialect: Dialect) -> None:
    message = "param_groups: expected groups with an entry 'params', got the keys ['param']; did you mean 'params'?"
    raises(KeyError, message, lambda: dialect.optimizer([{"param": [ones()]}]))


def test_arguments_of_the_other_framework_or_misspelt() -> None:
    for name, end in (
        ("learning_rate", "; torch calls it lr"),
        ("accum", "; torch calls it initial_accumulator_value"),
        ("loss_scale", "; torch has no such option: give grad_scale to each step"),
        ("epsilon", "; torch calls it eps"),
        ("update_slots", "; torch has no such option: it always updates the accumulators"),
        ("grad_centralization", "; torch has no such option: centralize the gradients yourself"),
        ("global_step", "; torch counts the steps of each parameter: optimizer.state[0]['step']"),
        ("max_norm", "; give it to each step"),
        ("grad_scale", "; give it to each step"),
        ("on_nonfinite", "; give it to each step"),
        ("closure", "; give it to each step"),
        ("weight_deca", "; did you mean 'weight_decay'?"),
        ("momentum", ""),
    ):
        options: dict[str, Any] = {name: 0.1}
        message = f"TorchAdagrad got an unexpected argument '{name}'{end}"
        raises(TypeError, message, lambda: TorchAdagrad([ones()], **options))  # noqa: B023
    message = "MindSporeAdagrad got an unexpected argument 'learning_rates'; did you mean 'learning_rate'?"
    options = {"learning_rates": [0.1]}
    raises(TypeError, message, lambda: MindSporeAdagrad([ones()], **options))
    message = "MindSporeAdagrad got an unexpected argument 'max_norm'; give it to each step"
    options = {"max_norm": 1.0}
    raises(TypeError, message, lambda: MindSporeAdagrad([ones()], **options))
    cure = "give it to a group: [{'params': params, 'grad_centralization': True}]"
    message = f"MindSporeAdagrad got an unexpected argument 'grad_centralization'; {cure}"
    options = {"grad_centralization": True}
    raises(TypeError, message, lambda: MindSporeAdagrad([ones()], **options))


def test_assigned_options(dialect: Dialect) -> None:
    """They would have no effect."""
    optimizer, _ = start(dialect)
    for key in dialect.optimizer._watched_keys:
        cure = f"write to its groups: optimizer.param_groups[0]['{key}'] = ..."
        message = f"{dialect.optimizer.__name__} has no attribute '{key}'; {cure}"
        raises_unchanged(optimizer, AttributeError, message, lambda: setattr(optimizer, key, 0.5))  # noqa: B023
        assert not hasattr(optimizer, key)
    message = "state: its arrays cannot be replaced; write into them, or load_state_dict(...)"
    raises_unchanged(optimizer, AttributeError, message, lambda: setattr(optimizer, "state", {}))
    message = "param_groups: expected the groups to stay, got others; change the list and its dicts"
    raises_unchanged(optimizer, AttributeError, message, lambda: setattr(optimizer, "param_groups", []))


def test_groups_are_added_by_an_operator(dialect: Dialect) -> None:
    """It changes the list before it assigns it."""
    optimizer, _ = start(dialect)
    groups, copies = optimizer.param_groups, list(optimizer.param_groups)
    optimizer.param_groups += []
    assert optimizer.param_groups is groups
    assert groups == copies


@pytest.mark.parametrize(
    ("rule", "name", "cure"),
    [
        (TorchAdagrad, "learning_rate", "torch calls it lr"),
        (TorchAdagrad, "initial_accumulator_value", "give it to the constructor"),
        (TorchAdagrad, "foreach", "give it to the constructor"),
        (TorchAdagrad, "state_dtype", "give it to the constructor"),
        (TorchAdagrad, "max_norm", "give it to each step"),
        (MindSporeAdagrad, "grad_scale", "give it to each step"),
        (MindSporeAdagrad, "maximize", "MindSpore has no such option: negate the gradients"),
        (MindSporeAdagrad, "eps", "MindSpore has no such option: its epsilon is fixed at 1e-8, under the root"),
    ],
)
def test_assigned_arguments(rule: Any, name: str, cure: str) -> None:
    optimizer, message = rule([ones()]), f"{rule.__name__} has no attribute '{name}'; {cure}"
    raises_unchanged(optimizer, AttributeError, message, lambda: setattr(optimizer, name, 5))


def test_zero_grad(dialect: Dialect) -> None:
    """A habit of users of torch."""
    cure = "no call is needed: gradients are given to each step, and not kept"
    message = f"{dialect.optimizer.__name__} has no attribute 'zero_grad'; {cure}"
    raises(AttributeError, message, lambda: dialect.optimizer([ones()]).zero_grad())


def test_mindspores_rate_is_in_the_groups() -> None:
    cure = "write to its groups: optimizer.param_groups[0]['lr'] = ..."
    message = f"MindSporeAdagrad has no attribute 'learning_rate'; {cure}"
    raises(AttributeError, message, lambda: setattr(MindSporeAdagrad([ones()]), "learning_rate", 0.5))


def test_a_subclass_may_have_its_own_attributes(dialect: Dialect) -> None:
    base: Any = dialect.optimizer

    class Own(base):  # type: ignore[misc]
        rate = 3

        def __init__(self, params: Any, momentum: float) -> None:
            super().__init__(params)
            self.history: list[float] = []
            self.momentum = self.max_norm = momentum

    optimizer = Own([ones()], 0.9)
    assert optimizer.max_norm == 0.9
    raises(AttributeError, "Own has no attribute 'grad_scale'; give it to each step", lambda: optimizer.grad_scale)
    optimizer.rate, optimizer.note = 4, "mine"
    assert (optimizer.rate, optimizer.note, optimizer.history, optimizer.momentum) == (4, "mine", [], 0.9)


def test_closures_in_the_way_of_torch(dialect: Dialect) -> None:
    optimizer, _ = start(dialect)
    form = "grads: expected arrays in the form of the parameters, got function"
    message = f"{form}; call step(closure=f), where f returns (loss, grads)"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step(lambda: (0.5, gradients())))
    for result, got in ((0.5, "float"), (np.zeros(2), "ndarray"), (None, "NoneType"), ((1, 2, 3), "3 values")):
        message = f"closure: expected a function that returns (loss, grads), got {got} from it"
        raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step(closure=lambda: result))  # noqa: B023
    optimizer.step(closure=lambda: [0.5, gradients()])


def test_optimizers_as_rates() -> None:
    """They are callables: a step calls `step`."""
    optimizer: Any = TorchAdagrad([ones()])
    text = "expected a number or a callable of the number of steps, got the optimizer TorchAdagrad; "
    text += "schedules take the learning rate in its place"
    raises(TypeError, f"lr: {text}", lambda: TorchAdagrad([ones()], lr=optimizer))
    raises(TypeError, f"lr: {text}", lambda: TorchAdagrad([{"params": [ones()], "lr": optimizer}]))
    raises(TypeError, f"learning_rate: {text}", lambda: MindSporeAdagrad([ones()], learning_rate=optimizer))
    raises(TypeError, f"schedule: {text}", lambda: schedules.warmup(optimizer, 3))
    raises(TypeError, f"schedule: {text}", lambda: schedules.per_epoch(optimizer, 3))


def test_schedulers_of_torch() -> None:
    scheduler: Any = torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.zeros(1)], lr=0.1), 3)
    message = f"lr: expected a number or a 1-element array, got StepLR{SCHEDULES}"
    raises(TypeError, message, lambda: TorchAdagrad([ones()], lr=scheduler))
    optimizer = TorchAdagrad([ones()])
    optimizer.param_groups[0]["lr"] = scheduler
    message = message.replace("lr", "param_groups[0]['lr']")
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([ones()]))
    message = (
        "learning_rate: expected a number, a sequence, a 1-dimensional array or a callable, got StepLR" + SCHEDULES
    )
    raises(TypeError, message, lambda: MindSporeAdagrad([ones()], learning_rate=scheduler))


def test_schedulers_of_torch_name_the_class() -> None:
    """torch decides on this message: the guide says what to do."""
    optimizer: Any = TorchAdagrad([ones()])
    with pytest.raises(TypeError, match="TorchAdagrad is not an Optimizer"):
        torch.optim.lr_scheduler.StepLR(optimizer, 3)


def test_groups_in_any_collection(dialect: Dialect) -> None:
    a, b = {"params": [ones()]}, {"params": [ones(2)]}
    for groups in ([a, b], (a, b), deque([a, b]), {"a": a, "b": b}.values(), iter([a, b])):
        optimizer = dialect.optimizer(groups)
        assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1]
        optimizer.step([ones(), ones(2)])
        optimizer.add_param_group({"params": [ones(3)]})


def test_empty_groups_of_torch() -> None:
    cases: list[list[Any]] = [[{"params": []}], [{"params": []}, {"params": []}]]
    for groups in cases:
        assert len(torch.optim.Adagrad(groups).param_groups) == len(groups)
        optimizer = TorchAdagrad(groups)
        optimizer.step([])
        w = ones()
        optimizer.add_param_group({"params": [w]})
        optimizer.step([ones()])
        assert (w < 1).all()
        assert TorchAdagrad(groups).state_dict()["state"] == {}
