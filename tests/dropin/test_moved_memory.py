"""torch gives tensors new memory at any time; the next step finds it."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import pytest
import torch
from helpers.dropin import assert_same, pair, parameters, set_grads
from numpy_adagrad.torch import Adagrad

Params: TypeAlias = "list[torch.Tensor]"


def set_data(params: Params, optimizer: Any) -> None:
    for param in params:
        param.data = param.detach() + 1


def swap_data(params: Params, optimizer: Any) -> None:
    params[0].data, params[1].data = params[1].data, params[0].data


def set_vector(params: Params, optimizer: Any) -> None:
    vector = torch.nn.utils.parameters_to_vector(params).detach()
    torch.nn.utils.vector_to_parameters(vector * 2, params)


def share(params: Params, optimizer: Any) -> None:
    for param in params:
        param.share_memory_()
    optimizer.share_memory()


def set_sums(params: Params, optimizer: Any) -> None:
    for param in params:
        optimizer.state[param]["sum"] = torch.full_like(param, 2.0)


def set_sum_data(params: Params, optimizer: Any) -> None:
    for param in params:
        optimizer.state[param]["sum"].data = torch.full_like(param, 3.0)


def set_states(params: Params, optimizer: Any) -> None:
    for param in params:
        optimizer.state[param] = {"step": torch.tensor(5.0), "sum": torch.full_like(param, 4.0)}


def set_steps(params: Params, optimizer: Any) -> None:
    for param in params:
        optimizer.state[param]["step"] = torch.tensor(9.0)


def clear_state(params: Params, optimizer: Any) -> None:
    optimizer.state.clear()


def forget_a_state(params: Params, optimizer: Any) -> None:
    del optimizer.state[params[1]]


def load_own_state(params: Params, optimizer: Any) -> None:
    optimizer.load_state_dict(optimizer.state_dict())


def reverse_params(params: Params, optimizer: Any) -> None:
    optimizer.param_groups[0]["params"].reverse()


def use_a_tuple(params: Params, optimizer: Any) -> None:
    optimizer.param_groups[0]["params"] = tuple(optimizer.param_groups[0]["params"])


def remove_a_param(params: Params, optimizer: Any) -> None:
    del optimizer.param_groups[0]["params"][0]


def reshape(params: Params, optimizer: Any) -> None:
    """At the same address."""
    state = optimizer.state[params[2]]
    params[2].grad = None
    params[2].data, state["sum"].data = params[2].data[:2], state["sum"].data[:2]


def widen(params: Params, optimizer: Any) -> None:
    params[1].grad = None
    params[1].data = params[1].data.double()
    optimizer.state[params[1]]["sum"] = optimizer.state[params[1]]["sum"].double()


CHANGES = [
    set_data,
    swap_data,
    set_vector,
    share,
    set_sums,
    set_sum_data,
    set_states,
    set_steps,
    clear_state,
    forget_a_state,
    load_own_state,
    reverse_params,
    use_a_tuple,
    remove_a_param,
    reshape,
    widen,
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_next_step_finds_it(change: Callable[[Params, Any], None]) -> None:
    ours, optimizer, theirs, reference = pair([(6,), (6,), (4, 3), (), (0,)], lr=0.1, lr_decay=0.1)
    for step in range(6):
        for params, opt in ((ours, optimizer), (theirs, reference)):
            if step in (2, 4):
                change(params, opt)
            for i, param in enumerate(params):
                param.grad = torch.full_like(param, float(step + i))
            opt.step()
        assert_same(optimizer, reference)


def test_parameters_of_any_group() -> None:
    optimizers = []
    for kind in (Adagrad, partial(torch.optim.Adagrad, fused=True)):
        params = parameters([(3,), (4,), (2, 2), (5,)])
        optimizer = kind([{"params": params[:1]}, {"params": params[1:3]}, {"params": params[3:]}])
        optimizers.append(optimizer)
        for step, moved in enumerate([None, *params, None]):
            if moved is not None:
                moved.data = moved.detach() * 2
            set_grads(params, step)
            optimizer.step()
    assert_same(*optimizers)


def test_gradients_at_old_addresses_with_new_layouts() -> None:
    ours, optimizer, theirs, reference = pair([(4, 4)], lr=0.1)
    memory = torch.arange(16.0)
    for view in (memory.view(4, 4), memory.view(4, 4).t(), memory.as_strided((4, 4), (1, 0)), memory.view(4, 4)):
        ours[0].grad, theirs[0].grad = view, view.contiguous()
        optimizer.step()
        reference.step()
        assert_same(optimizer, reference)


def test_gradients_with_ever_new_layouts() -> None:
    """A plan kept them all, and steps took longer and longer."""
    ours, optimizer, theirs, reference = pair([(4, 3)], lr=0.1)
    plans = set()
    for width in range(3, 303):
        ours[0].grad = torch.full((4, width), float(width))[:, :3]
        theirs[0].grad = ours[0].grad.contiguous()
        optimizer.step()
        reference.step()
        plans.add(optimizer._plan)
    assert len(plans) == 2
    assert_same(optimizer, reference)


def test_columns_of_one_table() -> None:
    """Their bounds meet, their memory does not; nor that of gradients in other columns."""
    ours, theirs = torch.zeros(5, 6), torch.zeros(5, 6)
    params = [ours[:, k].requires_grad_() for k in range(2)]
    others = [theirs[:, k].detach().clone().requires_grad_() for k in range(2)]
    optimizer, reference = Adagrad(params, lr=0.1), torch.optim.Adagrad(others, lr=0.1, fused=True)
    for step in range(3):
        ours[:, 2:4] = torch.arange(10.0).view(5, 2) + step
        for k in range(2):
            params[k].grad = ours[:, 2 + k]
            others[k].grad = ours[:, 2 + k].contiguous()
        optimizer.step()
        reference.step()
    for param, other in zip(params, others, strict=True):
        assert torch.equal(param, other)


def test_many_tensors_with_new_gradients() -> None:
    ours, optimizer, theirs, reference = pair([(5,)] * 500, lr=0.1)
    for step, without in enumerate(([7], [7], [], [3], [5, 499], [])):
        set_grads(ours, step, without=without)
        set_grads(theirs, step, without=without)
        optimizer.step()
        reference.step()
    assert_same(optimizer, reference)


def test_a_step_without_states_and_gradients() -> None:
    _, optimizer, _, reference = pair([(3,)])
    for opt in (optimizer, reference):
        opt.state.clear()
        for _ in range(2):
            opt.step()
    assert_same(optimizer, reference)


FREED: list[Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = [
    lambda frozen, other: torch.empty(0),
    lambda frozen, other: frozen.double(),
    lambda frozen, other: frozen.to(torch.int8),
    lambda frozen, other: other,
]


@pytest.mark.parametrize("replaced", FREED)
def test_a_frozen_parameter_may_become_anything(replaced: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
    """A parameter without a gradient is out of the step, also if it has had one; it can come back with its state."""
    ours, optimizer, theirs, reference = pair([(4, 3), (4, 3)], lr=0.1, lr_decay=0.1)
    for params, opt in ((ours, optimizer), (theirs, reference)):
        values = params[0].requires_grad_(False).clone()
        for step in range(6):
            frozen = step in (2, 3)
            params[0].grad = None
            params[0].data = replaced(values, params[1].detach()) if frozen else values
            set_grads(params[1:], step)
            if not frozen:
                params[0].grad = torch.full_like(values, step)
            opt.step()
    assert_same(optimizer, reference)
