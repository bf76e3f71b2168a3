"""The bits of ``torch.optim.Adagrad(fused=True)`` in every configuration."""

import itertools
from typing import Any

import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.dropin import SIZES, assert_same, draw, pair, parameters, set_grads
from helpers.torch_arrays import to_numpy
from numpy_adagrad.torch import Adagrad

STEPS = 4
OPTIONS = [
    {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "initial_accumulator_value": initial, "eps": eps}
    for lr, lr_decay, weight_decay, initial, eps in itertools.product(
        [0.037, 1.0], [0, 0.1], [0, 0.013], [0, 0.1], [1e-10, 0.1]
    )
]
# A half type holds these exactly; torch rounds others to it in most places of a tensor.
EXACT: dict[str, Any] = {"lr": 2**-4, "eps": 2**-8, "weight_decay": 2**-6, "initial_accumulator_value": 2**-3}


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_configuration(options: dict[str, Any], dtype: torch.dtype, maximize: bool) -> None:
    ours, optimizer, theirs, reference = pair(dtype=dtype, maximize=maximize, **options)
    for step in range(STEPS):
        for params in (ours, theirs):
            set_grads(params, step, without=[step, step + 3])
        optimizer.step()
        reference.step()
        assert_same(optimizer, reference)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_types(dtype: torch.dtype) -> None:
    ours, optimizer, theirs, reference = pair(dtype=dtype, **EXACT)
    for step in range(STEPS):
        set_grads(ours, step)
        set_grads(theirs, step)
        optimizer.step()
        reference.step()
        assert_same(optimizer, reference)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_complex_parameters_are_pairs_of_reals(dtype: torch.dtype) -> None:
    """Which torch's fused step does not take, so that it gets the reals. Lazy conjugation is resolved."""
    shapes = [(), (5,), (4, 3)]
    options: dict[str, Any] = {"lr": 0.037, "weight_decay": 0.013, "initial_accumulator_value": 0.1, "eps": 1e-3}
    ours = parameters(shapes, dtype)
    theirs = [torch.view_as_real(param.detach()).clone().requires_grad_() for param in ours]
    optimizer, reference = Adagrad(ours, **options), torch.optim.Adagrad(theirs, fused=True, **options)
    for step in range(STEPS):
        grads = draw(shapes, dtype, step)
        for param, other, grad in zip(ours, theirs, grads, strict=True):
            param.grad = grad.conj() if step % 2 else grad
            other.grad = torch.view_as_real(param.grad.resolve_conj()).clone()
        optimizer.step()
        reference.step()
        for param, other in zip(ours, theirs, strict=True):
            assert_same_bits(to_numpy(torch.view_as_real(param)), to_numpy(other))
            state_sum = torch.view_as_real(optimizer.state[param]["sum"])
            assert_same_bits(to_numpy(state_sum), to_numpy(reference.state[other]["sum"]))


def test_a_lazily_negated_gradient_is_resolved() -> None:
    for shape in [(), (1,), (3,)]:
        ours, optimizer, theirs, reference = pair([shape])
        for step in range(STEPS):
            values = draw([shape], torch.complex64, step)[0]
            ours[0].grad = values.conj().imag if step % 2 else values.imag
            theirs[0].grad = ours[0].grad.resolve_neg().contiguous()
            assert ours[0].grad.is_neg() == bool(step % 2)
            optimizer.step()
            reference.step()
            assert_same(optimizer, reference)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
def test_a_gradient_of_one_element_that_is_negated_after_one_that_is_not(shape: tuple[int, ...]) -> None:
    """It lay in memory like the one before, and was read with the wrong sign."""
    ours, optimizer, theirs, reference = pair([shape])
    for step in range(STEPS):
        values = torch.full((1,), 2 + 3j)
        grad = values.conj().imag.reshape(shape) if step % 2 else torch.ones(shape)
        assert grad.is_neg() == bool(step % 2)
        ours[0].grad, theirs[0].grad = grad, grad.resolve_neg().clone()
        optimizer.step()
        reference.step()
        assert_same(optimizer, reference)


@pytest.mark.parametrize("fused", [None, False, True])
@pytest.mark.parametrize("foreach", [None, False, True])
def test_paths_have_no_effect(fused: bool | None, foreach: bool | None) -> None:
    if fused and foreach:
        return
    ours, _, theirs, reference = pair(lr=0.1)
    optimizer = Adagrad(ours, lr=0.1, fused=fused, foreach=foreach)
    for step in range(STEPS):
        set_grads(ours, step)
        set_grads(theirs, step)
        optimizer.step()
        reference.step()
    assert_same(optimizer, reference)


def test_options_of_groups() -> None:
    def groups(params: list[torch.Tensor]) -> list[dict[str, Any]]:
        return [
            {"params": params[:3], "lr": 0.5, "maximize": True},
            {"params": params[3:7], "weight_decay": 0.1, "initial_accumulator_value": 9.0},
            {"params": [params[7]], "lr": torch.tensor(0.3), "eps": 0.5},
            {"params": params[8:], "lr_decay": 0.2},
        ]

    ours, theirs = parameters(), parameters()
    optimizer = Adagrad(groups(ours), lr=0.1, initial_accumulator_value=0.25)
    reference = torch.optim.Adagrad(groups(theirs), lr=0.1, initial_accumulator_value=0.25, fused=True)
    for step in range(STEPS):
        for params, opt in ((ours, optimizer), (theirs, reference)):
            set_grads(params, step)
            opt.param_groups[1]["lr"] = 0.1 / (1 + step)
            opt.param_groups[2]["lr"].mul_(0.5)
            opt.step()
        assert_same(optimizer, reference)


LAYOUTS = {
    "channels last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(1, 3),
    "columns": lambda x: torch.stack([x, x], -1)[..., 0],
    "contiguous": lambda x: x,
}


@pytest.mark.parametrize("of_grad", LAYOUTS)
@pytest.mark.parametrize("of_param", LAYOUTS)
def test_every_layout(of_param: str, of_grad: str) -> None:
    """torch's fused step ignores strides, so that it gets contiguous copies."""
    param = LAYOUTS[of_param](draw([(2, 3, 4, 3)], torch.float32, 0)[0]).detach().requires_grad_()
    other = param.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    optimizer, reference = Adagrad([param], lr=0.1), torch.optim.Adagrad([other], lr=0.1, fused=True)
    for step in range(STEPS):
        grad = LAYOUTS[of_grad](draw([(2, 3, 4, 3)], torch.float32, step)[0])
        if grad.shape != param.shape:
            grad = grad.transpose(1, 3)
        param.grad, other.grad = grad, grad.contiguous()
        optimizer.step()
        reference.step()
        assert_same_bits(to_numpy(param), to_numpy(other))


def test_an_expanded_gradient() -> None:
    ours, optimizer, theirs, reference = pair([(3, 4)])
    for step in range(STEPS):
        ours[0].grad = draw([(1, 4)], torch.float32, step)[0].expand(3, 4)
        theirs[0].grad = ours[0].grad.contiguous()
        optimizer.step()
        reference.step()
        assert_same(optimizer, reference)


def test_one_gradient_for_two_parameters() -> None:
    ours, optimizer, theirs, reference = pair([(5,), (5,)])
    for params in (ours, theirs):
        params[0].grad = params[1].grad = draw([(5,)], torch.float32, 1)[0]
    optimizer.step()
    reference.step()
    assert_same(optimizer, reference)


class OwnTensor(torch.Tensor):  # type: ignore[misc]
    """As users derive it, without elements elsewhere."""


def test_subclasses_of_tensor() -> None:
    _, _, theirs, reference = pair([(5,), (4,)])
    ours = [torch.nn.Parameter(param.detach().as_subclass(OwnTensor)) for param in parameters([(5,), (4,)])]
    optimizer = Adagrad(ours)
    for step in range(STEPS):
        set_grads(ours, step)
        set_grads(theirs, step)
        ours[1].grad = ours[1].grad.as_subclass(OwnTensor)
        optimizer.step()
        reference.step()
    for param, other in zip(ours, theirs, strict=True):
        assert torch.equal(param.detach().as_subclass(torch.Tensor), other)


def test_large_tensors_on_two_threads() -> None:
    ours, optimizer, theirs, reference = pair([(700, 900), (3,), (100_003,)], lr=0.1, weight_decay=0.1)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    for step in range(2):
        set_grads(ours, step)
        set_grads(theirs, step)
        optimizer.step()
        reference.step()
    torch.set_num_threads(threads)
    assert_same(optimizer, reference)


@pytest.mark.parametrize(
    "frozen",
    [
        torch.ones(2, dtype=torch.int8),
        torch.ones(2).to(torch.float8_e4m3fn),
        torch.empty(2, device="meta"),
        torch.ones(1).expand(3),
    ],
    ids=str,
)
def test_a_parameter_without_a_gradient_may_be_anything(frozen: torch.Tensor) -> None:
    ours, theirs = parameters([(3,)]), parameters([(3,)])
    opts = Adagrad([*ours, frozen]), torch.optim.Adagrad([*theirs, frozen], fused=True)
    for step in range(3):
        for params, optimizer in zip((ours, theirs), opts, strict=True):
            set_grads(params, step)
            optimizer.step()
    assert_same_bits(to_numpy(ours[0]), to_numpy(theirs[0]), "parameter")


def test_entries_of_groups_that_are_no_options() -> None:
    params = parameters([(3,)])
    optimizer = Adagrad([{"params": params, "mask": torch.ones(3)}])
    set_grads(params, 0)
    optimizer.step()
    assert optimizer.state[params[0]]["step"] == 1


def test_no_gradient_changes_nothing() -> None:
    ours, optimizer, theirs, reference = pair()
    optimizer.step()
    assert_same(optimizer, reference)
    assert SIZES == [tuple(param.shape) for param in ours] == [tuple(param.shape) for param in theirs]
