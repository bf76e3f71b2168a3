"""Code that runs inside a step, where an option or a gradient is a tensor of a subclass."""

from collections.abc import Callable
from threading import Event, Thread, current_thread
from typing import Any

import pytest
import torch
from helpers.dropin import assert_same, contents, pair, parameters, set_grads
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


class Gradient(torch.Tensor):  # type: ignore[misc]
    """A gradient that runs other code when a step reads it."""

    action: Callable[[], object]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.detach:
            args[0].action()
        return super().__torch_function__(func, types, args, kwargs)


MOVED: dict[str, Callable[[list[torch.Tensor], Any], Any]] = {
    "parameter": lambda params, optimizer: params[0],
    "its own parameter": lambda params, optimizer: params[1],
    "accumulator": lambda params, optimizer: optimizer.state[params[2]]["sum"],
    "counter": lambda params, optimizer: optimizer.state[params[0]]["step"],
    "gradient before it": lambda params, optimizer: params[0].grad,
    "gradient after it": lambda params, optimizer: params[2].grad,
}


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("find", MOVED.values(), ids=MOVED)
def test_a_gradient_that_moves_another_tensor(find: Callable[[list[torch.Tensor], Any], Any], always: bool) -> None:
    """The step takes place where the tensors lie then; it raises an error if they move again."""
    ours, optimizer, theirs, reference = pair([(4,), (3,), (5,)], lr=0.1)
    for params, opt in ((ours, optimizer), (theirs, reference)):
        set_grads(params, 0)
        opt.step()
        set_grads(params, 1)
    memory = [find(ours, optimizer).detach()]  # keeps the old memory

    def move() -> None:
        if always or len(memory) == 1:
            memory.append(2 * memory[-1])
            find(ours, optimizer).data = memory[-1]

    grad: Gradient = ours[1].grad.as_subclass(Gradient)
    grad.action = move
    ours[1].grad = grad
    if always and find is not MOVED["gradient after it"]:  # that one is read later
        raises(RuntimeError, "params: expected the same tensors throughout a step, got others", optimizer.step)
        grad.action = lambda: None
    optimizer.step()
    moved = find(theirs, reference)
    moved.data = moved.detach() * 2 ** (len(memory) - 1)
    reference.step()
    ours[1].grad = grad.as_subclass(torch.Tensor)
    assert_same(optimizer, reference)


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
