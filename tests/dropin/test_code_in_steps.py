"""Code that runs inside a step, where an option is a tensor of a subclass."""

from collections.abc import Callable
from threading import Event, Thread, current_thread
from typing import Any

import torch
from helpers.dropin import contents, parameters, set_grads
from helpers.errors import raises
from numpy_adagrad.torch import Adagrad


class Rate(torch.Tensor):  # type: ignore[misc]
    """A rate that runs other code when a step reads it."""

    action: Callable[[], object]

    def item(self) -> float:
        self.action()
        return 0.5


def moving_rate(action: Callable[[], object]) -> Rate:
    rate: Rate = torch.tensor(0.5).as_subclass(Rate)
    rate.action = action
    return rate


def test_code_that_moves_a_parameter_inside_a_step() -> None:
    (param,) = parameters([(1000,)])
    optimizer = Adagrad([param])
    set_grads([param], 0)

    def move() -> None:
        param.data = param.detach().clone()

    optimizer.param_groups[0]["lr"] = moving_rate(move)
    before = contents([param], optimizer)
    text = "params: expected the same tensors throughout a step, got others"
    for _ in range(2):
        raises(RuntimeError, text, optimizer.step)
        assert contents([param], optimizer) == before


def test_code_that_replaces_a_gradient_inside_a_step() -> None:
    """The step goes on with the gradient that it has found."""
    (param,) = parameters([(4, 4)])
    optimizer = Adagrad([param], lr=0.5)
    param.grad = torch.ones(4, 4)
    optimizer.step()
    before = param.detach().clone()
    grads = [torch.full((4, 8), -1.0)[:, ::2]]

    def replace() -> None:
        if grads:
            param.grad = grads.pop()

    optimizer.param_groups[0]["lr"] = moving_rate(replace)
    optimizer.step()
    assert not grads
    assert torch.equal(param, before - 0.5 / torch.tensor(2.0).sqrt())


def test_a_step_inside_a_step() -> None:
    (param,) = parameters([(3,)])
    optimizer = Adagrad([param], lr=0.5)
    set_grads([param], 0)
    optimizer.step()
    calls: list[float] = []

    def step() -> None:
        if not calls:
            calls.append(optimizer.state[param]["step"].item())
            optimizer.step()

    optimizer.param_groups[0]["lr"] = moving_rate(step)
    optimizer.step()
    assert calls == [1.0]
    assert optimizer.state[param]["step"].item() == 3.0


class Watched(Adagrad):
    """Another thread begins a step as soon as one can find the plan of the first."""

    begun: Event | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "_plan" and value is not None and self.begun is None:
            self.begun = Event()
            Thread(target=self.step, name="other").start()
            assert self.begun.wait(60)


def test_a_step_of_another_thread_between_the_plan_and_the_step() -> None:
    (param,) = parameters([(3,)])
    optimizer = Watched([param], lr=0.5)
    set_grads([param], 0)
    finish = Event()

    def pause() -> None:
        if current_thread().name == "other" and optimizer.begun is not None:
            optimizer.begun.set()
            assert finish.wait(60)

    optimizer.param_groups[0]["lr"] = moving_rate(pause)
    try:
        optimizer.step()
    finally:
        finish.set()
    assert optimizer.state[param]["step"].item() >= 1.0
