"""Steps with a `grad_scale`, which leave the unscaled gradients."""

from typing import Any

import pytest
import torch
from helpers.dropin import assert_same, pair, parameters, set_grads
from numpy_adagrad.torch import Adagrad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scale", [1024.0, 1000.0])
def test_scaled_gradients(scale: float, dtype: torch.dtype) -> None:
    """As `GradScaler` asks for them. torch's fused step also writes the unscaled gradients back."""
    options: dict[str, Any] = {"lr": 2**-4, "eps": 2**-8, "weight_decay": 2**-6}
    ours, optimizer, theirs, reference = pair(dtype=dtype, **options)
    for step in range(4):
        for params, opt in ((ours, optimizer), (theirs, reference)):
            set_grads(params, step)
            for param in params:
                param.grad.requires_grad_(step == 1)
                param.grad = None if step == 3 else param.grad
            opt.grad_scale, opt.found_inf = torch.tensor(scale), torch.tensor(float(step == 2))
            opt.step()
            del opt.grad_scale, opt.found_inf
        assert_same(optimizer, reference)
        for param, other in zip(ours, theirs, strict=True):
            assert param.grad is other.grad is None or torch.equal(param.grad, other.grad)


def test_a_broadcast_gradient_that_is_scaled() -> None:
    """The step was taken, and then torch's error was raised. torch's fused step writes beyond such a gradient."""
    (param,) = parameters([(3,)])
    start = param.detach().clone()
    optimizer = Adagrad([param], lr=0.5, eps=0)
    param.grad = torch.full((1,), 4.0).expand(3)
    optimizer.grad_scale = torch.tensor(2.0)
    optimizer.step()
    assert torch.equal(param, start - 0.5)
    assert torch.equal(param.grad, torch.full((3,), 2.0))


@pytest.mark.parametrize("shared", [torch.full((5,), 4.0).unfold(0, 3, 1), torch.full((3, 3), 4.0)])
def test_a_gradient_that_overlaps_itself_or_another_is_scaled_once(shared: torch.Tensor) -> None:
    weights = [torch.zeros(3, 3, requires_grad=True) for _ in range(2)]
    optimizer: Any = Adagrad(weights)
    for weight in weights:
        weight.grad = shared
    optimizer.grad_scale = torch.tensor(2.0)
    optimizer.step()
    for weight in weights:
        assert optimizer.state[weight]["sum"].tolist() == [[4.0] * 3] * 3
        assert weight.grad is not None
        assert weight.grad.tolist() == [[2.0] * 3] * 3


def test_a_gradient_without_memory_that_is_scaled() -> None:
    """The step was taken, and then torch's error was raised."""
    params = parameters([(3,), (2,)])
    optimizer = Adagrad(params, lr=0.5)
    before = [param.detach().clone() for param in params]
    for param in params:
        param.grad = torch._efficientzerotensor(param.shape)
    optimizer.grad_scale = torch.tensor(2.0)
    optimizer.step()
    for param, start in zip(params, before, strict=True):
        assert torch.equal(param, start)
        assert torch.equal(param.grad, torch.zeros_like(start))
        assert optimizer.state[param]["step"] == 1


def test_a_conjugated_gradient_that_is_scaled() -> None:
    """The step was taken, and then torch's error was raised."""
    param = torch.nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    optimizer = Adagrad([param], lr=0.5, eps=0)
    param.grad = torch.full((2,), 4 + 2j).conj()
    optimizer.grad_scale = torch.tensor(2.0)
    optimizer.step()
    assert torch.equal(param, torch.full((2,), -0.5 + 0.5j))
    assert torch.equal(param.grad, torch.full((2,), 2 - 1j))


def test_a_gradient_of_inference_mode_that_is_scaled() -> None:
    """The step was taken, and then torch's error was raised."""
    ours, optimizer, theirs, reference = pair([(3,), (2,)])
    for params, opt in ((ours, optimizer), (theirs, reference)):
        set_grads(params, 0)
        with torch.inference_mode():
            params[0].grad = torch.full((3,), 4.0)
        opt.grad_scale = torch.tensor(2.0)
        opt.step()
    assert_same(optimizer, reference)
    for param, other in zip(ours, theirs, strict=True):
        assert torch.equal(param.grad, other.grad)


def test_a_scaler_with_an_optimizer_without_gradients() -> None:
    """A second one, frozen for now: `GradScaler` gives it the number 0 as `found_inf`. An error was raised."""
    used, _, used_there, _ = pair([(3,)])
    ours, _, theirs, reference = pair([(2,)])
    optimizer = Adagrad(ours, fused=True)
    for params, idle, opt in ((used, ours, optimizer), (used_there, theirs, reference)):
        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(torch.ones(()))
        for step in range(2):
            set_grads(params, step)
            set_grads(idle, step, without=[0] if step == 0 else [])
            for each in (type(opt)(params, fused=True), opt):
                scaler.step(each)
            scaler.update()
            assert not hasattr(opt, "found_inf")
    assert_same(optimizer, reference)
    assert torch.equal(used[0], used_there[0])


def test_a_skipped_step_makes_the_state_of_new_parameters() -> None:
    """As torch's fused step does, for those with a gradient."""
    ours, optimizer, theirs, reference = pair([(3,)], initial_accumulator_value=0.5)
    for params, opt in ((ours, optimizer), (theirs, reference)):
        params += parameters([(2,), (4,)])
        opt.add_param_group({"params": params[1:]})
        opt.state[params[0]] = {}
        set_grads(params, 0, without=[2])
        opt.grad_scale, opt.found_inf = torch.tensor(2.0), torch.tensor(1.0)
        opt.step()
        assert [bool(opt.state.get(param)) for param in params] == [True, True, False]
    assert_same(optimizer, reference)
    for opt in (optimizer, reference):
        opt.found_inf = torch.tensor(0.0)
        opt.step()
    assert_same(optimizer, reference)
