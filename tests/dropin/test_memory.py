"""The optimizer leaves torch its memory: storages can be resized, and what nothing else refers to is freed."""

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.dropin import parameters, set_grads
from helpers.errors import raises
from helpers.interpreters import succeed
from numpy_adagrad.torch import Adagrad


def stepped() -> tuple[torch.Tensor, Any]:
    (param,) = parameters([(3,)])
    optimizer = Adagrad([param])
    set_grads([param], 1)
    optimizer.step()
    return param, optimizer


def test_storages_can_be_resized() -> None:
    param, optimizer = stepped()
    for tensor in (param.detach(), optimizer.state[param]["sum"], optimizer.state[param]["step"], param.grad):
        assert isinstance(tensor, torch.Tensor)
        tensor.untyped_storage().resize_(0)


def test_replaced_memory_is_freed_before_the_next_step() -> None:
    param, optimizer = stepped()
    before = param.data.untyped_storage()
    freed = weakref.ref(before)
    param.data = torch.ones(3)
    del before
    assert freed() is None
    optimizer.step()


@pytest.mark.parametrize("steps", [0, 1])
def test_a_gradient_without_memory_is_zero(steps: int) -> None:
    """The derivative of a sign. Its address was read as one of memory: the process crashed, or wrong numbers came."""
    (param,) = parameters([(3,)])
    optimizer = Adagrad([param])
    for step in range(steps):
        set_grads([param], step)
        optimizer.step()
    before, total = param.detach().clone(), optimizer.state[param]["sum"].clone() if steps else torch.zeros(3)
    param.grad = None
    param.sgn().sum().backward()
    assert param.grad.data_ptr() == 0
    optimizer.step()
    assert torch.equal(param, before)
    assert torch.equal(optimizer.state[param]["sum"], total)
    assert optimizer.state[param]["step"] == steps + 1


@pytest.mark.parametrize("name", ["params", "grads", "sum", "step"])
def test_a_tensor_whose_storage_is_freed(name: str) -> None:
    param, optimizer = stepped()
    state = optimizer.state[param]
    tensor = {"params": param.detach(), "grads": param.grad, "sum": state["sum"], "step": state["step"]}[name]
    before = param.detach().clone(), state["sum"].clone()
    tensor.untyped_storage().resize_(0)
    message = f"{name}[0]: expected a tensor with memory, got one whose storage has been freed"
    for _ in range(2):
        raises(ValueError, message, optimizer.step)
    for now, then in zip((param, state["sum"]), before, strict=True):
        assert now.untyped_storage().size() == 0 or torch.equal(now, then)


def hooked(param: torch.Tensor, optimizer: Any) -> None:
    param.register_hook(lambda grad, optimizer=optimizer: grad)


def held_by_the_parameter(param: Any, optimizer: Any) -> None:
    param.optimizer = optimizer


def held_by_the_state(param: torch.Tensor, optimizer: Any) -> None:
    optimizer.state[param]["optimizer"] = optimizer


@pytest.mark.parametrize("refer", [hooked, held_by_the_parameter, held_by_the_state])
def test_an_optimizer_to_which_its_parameters_refer_is_collected(refer: Callable[[torch.Tensor, Any], None]) -> None:
    param, optimizer = stepped()
    refer(param, optimizer)
    found = weakref.ref(optimizer)
    del param, optimizer
    gc.collect()
    assert found() is None


def test_the_garbage_collector_finds_the_tensors_of_a_plan() -> None:
    param, optimizer = stepped()
    state = optimizer.state[param]
    for held in (param, state, state["sum"], state["step"]):
        assert any(found is optimizer._plan for found in gc.get_referrers(held))


COLLECTS = """
import gc
import torch
from numpy_adagrad.torch import Adagrad

class Collects:
    def __del__(self):
        gc.collect()

class Parameter(torch.nn.Parameter):
    @property
    def grad(self):
        grad = torch.ones(3)
        grad.note = Collects()
        return grad

gc.freeze()  # what torch has made: each collection would walk through it
optimizer = Adagrad([Parameter(torch.ones(3)) for _ in range(6)])
for _ in range(20):
    optimizer.step()
"""


def test_a_gradient_whose_release_collects_garbage() -> None:
    succeed("-c", COLLECTS, PYTHONMALLOC="debug")


def test_a_failed_step_lets_its_gradients_go() -> None:
    param, optimizer = stepped()
    optimizer.param_groups[0]["lr"] = "no rate"
    with pytest.raises(TypeError):
        optimizer.step()
    freed = weakref.ref(param.grad)
    param.grad = None
    assert freed() is None


def test_a_loaded_state_replaces_the_memory_of_the_old_one() -> None:
    param, optimizer = stepped()
    old = weakref.ref(optimizer.state[param]["sum"])
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert old() is None
