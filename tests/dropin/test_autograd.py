"""What autograd and the modes of torch see of a step."""

from typing import Any

import pytest
import torch
from helpers.dropin import assert_same, pair, parameters, set_grads
from numpy_adagrad.torch import Adagrad
from torch.utils._python_dispatch import TorchDispatchMode


def test_autograd_notices_the_update() -> None:
    """A graph that has saved a parameter raises torch's error in its backward pass."""
    (weight,) = params = parameters([(3, 3)])
    optimizer = Adagrad(params, lr=0.1)
    loss = (torch.ones(2, 3, requires_grad=True) @ weight).square().sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_modes_of_torch_do_not_see_the_update() -> None:
    seen: list[str] = []

    class Mode(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **kwargs or {})

    (weight,) = params = parameters([(3, 3)])
    optimizer, before = Adagrad(params, lr=0.1), weight.detach().clone()
    for step in range(2):
        set_grads(params, step)
        with Mode():
            optimizer.step()
    assert [name for name in seen if not name.startswith("profiler.")] == ["aten.detach.default"]  # of the first step
    assert (weight != before).all()


def test_a_graph_that_may_be_changed() -> None:
    """It computes with the new parameter, as the update is no operation that torch could copy before."""
    weight = torch.tensor([2.0], requires_grad=True)
    optimizer = Adagrad([weight], lr=0.5)
    other = torch.ones(1, requires_grad=True)
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        loss = (weight * other).sum()
        weight.grad = torch.ones(1)
        optimizer.step()
        loss.backward()
    assert (weight.item(), other.grad) == (1.5, torch.tensor([1.5]))


def test_in_inference_mode() -> None:
    ours, optimizer, theirs, reference = pair([(3,)])
    for params, opt in ((ours, optimizer), (theirs, reference)):
        set_grads(params, 0)
        with torch.inference_mode():
            opt.step()
    assert_same(optimizer, reference)
