"""docs/reference/differences.md: run both libraries to verify its claims, and ours to verify the last column."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.mindspore_arrays import mindspore_adagrad, mindspore_step, parameter
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from mindspore import Tensor, nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, from_mindspore

Array = npt.NDArray[Any]

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "differences.md").read_text()
ONE, HALF = np.float32(1), np.float32(0.5)


def after_mindspore(grad: Array, start: Array | None = None, name: str = "w", **arguments: Any) -> tuple[Array, Array]:
    """Parameter and accumulator after a step of nn.Adagrad; the parameter starts at 1 by default."""
    optimizer = mindspore_adagrad([(name, np.ones_like(grad) if start is None else start)], **arguments)
    mindspore_step(optimizer, [grad])
    return optimizer._parameters[0].asnumpy(), optimizer.accum[0].asnumpy()


def after_torch(grad: Array, start: Array | None = None, **arguments: Any) -> tuple[Array, Array]:
    """The same of the fused step of torch."""
    tensor = to_torch(np.ones_like(grad) if start is None else start)
    optimizer = torch.optim.Adagrad([tensor], fused=True, **arguments)
    torch_step(optimizer, [tensor], [grad])
    return to_numpy(tensor), to_numpy(optimizer.state[tensor]["sum"])


def singles(*values: float) -> Array:
    return np.array(values, np.float32)


def bare_signature(init: Callable[..., None]) -> inspect.Signature:
    """The arguments and defaults of a constructor, without annotations."""
    arguments = list(inspect.signature(init, follow_wrapped=False).parameters.values())[1:]
    return inspect.Signature([argument.replace(annotation=inspect.Parameter.empty) for argument in arguments])


def common(ours: inspect.Signature, theirs: inspect.Signature) -> inspect.Signature:
    return ours.replace(parameters=[each for each in ours.parameters.values() if each.name in theirs.parameters])


def test_arguments_and_defaults() -> None:
    theirs = bare_signature(torch.optim.Adagrad.__init__)
    # MindSpore's decorator hides the arguments.
    mindspores = bare_signature(inspect.getclosurevars(nn.Adagrad.__init__).nonlocals["fn"])
    page = " ".join(PAGE.split())
    assert f"torch.optim.Adagrad{theirs}" in page
    assert f"mindspore.nn.Adagrad{mindspores}" in page
    assert common(bare_signature(TorchAdagrad.__init__), theirs) == theirs
    assert common(bare_signature(MindSporeAdagrad.__init__), mindspores) == mindspores


@pytest.mark.parametrize(
    ("name", "decays"), [("w", True), ("Beta", True), ("beta", False), ("gamma", False), ("alphabeta.q", False)]
)
def test_weight_decay_goes_by_name_in_mindspore(name: str, decays: bool) -> None:
    zero = singles(0)
    assert (after_mindspore(zero, name=name, weight_decay=0.1)[0] < 1) == decays
    w = singles(1)
    MindSporeAdagrad({name: w}, weight_decay=0.1).step([zero])
    assert (w < 1) == decays

    tensor = to_torch(singles(1))
    torch_step(torch.optim.Adagrad([(name, tensor)], weight_decay=0.1), [tensor], [zero])
    assert tensor.item() < 1

    grouped = parameter(name, singles(1))
    mindspore_step(nn.Adagrad([{"params": [grouped]}], weight_decay=0.1), [zero])
    assert grouped.asnumpy() < 1


def test_weight_decay_is_rounded_twice_in_mindspore() -> None:
    start, decay, grad = singles(1 + 2**-12), 1 + 2**-12, singles(-(1 + 2**-11))
    w, accum = after_mindspore(grad, start, accum=0.0, learning_rate=0.5, weight_decay=decay)
    assert_same_bits(w, start)
    assert_same_bits(accum, singles(0))
    p, total = after_torch(grad, start, lr=0.5, weight_decay=decay)
    assert 0.49 < start - p < 0.5
    assert_same_bits(total, singles(2**-48))

    ours = start.copy(), start.copy()
    MindSporeAdagrad([ours[0]], 0.0, 0.5, weight_decay=decay).step([grad])
    TorchAdagrad([ours[1]], 0.5, weight_decay=decay).step([grad])
    assert_same_bits(ours[0], w)
    assert_same_bits(ours[1], p)


def test_one_loss_scale_multiplies_and_the_other_divides() -> None:
    grad = np.arange(1, 100, dtype=np.float32)
    product, quotient = grad * np.float32(1 / 10), grad / np.float32(10)
    assert (product != quotient).any()
    assert_same_bits(after_mindspore(grad, accum=0.0, loss_scale=10.0)[1], product * product)

    tensor = torch.zeros(len(grad))
    tensor.grad = torch.from_numpy(grad.copy())
    optimizer = torch.optim.Adagrad([tensor], fused=True)
    optimizer.grad_scale = torch.tensor(10.0)
    optimizer.step()
    assert_same_bits(tensor.grad.numpy(), quotient)  # written back


def test_mindspore_unscales_a_half_gradient_before_it_widens_it() -> None:
    grad, scale = np.arange(1, 100, dtype=np.float16), np.float32(1 / 10)
    start = np.ones(len(grad), np.float32)
    narrow = (grad * np.float16(scale)).astype(np.float32)
    wide = grad.astype(np.float32) * scale
    assert (narrow != wide).any()
    assert_same_bits(after_mindspore(grad, start, accum=0.0, loss_scale=10.0)[1], narrow * narrow)

    ours = MindSporeAdagrad([start.copy()], 0.0, loss_scale=10.0)
    ours.step([grad])
    assert_same_bits(ours.state[0]["accum"], wide * wide)


def test_mindspore_has_an_epsilon() -> None:
    grad = singles(1e-4)
    w, accum = after_mindspore(grad, accum=0.0, learning_rate=0.5)
    assert_same_bits(accum, grad * grad)
    assert_same_bits(w, ONE - (HALF * grad) * (ONE / np.sqrt(accum + np.float32(1e-8))))
    assert round(float(1 - w[0]) / 0.5, 3) == 0.707
    p, _ = after_torch(grad, lr=0.5)
    assert round(float(1 - p[0]) / 0.5, 3) == 1

    zero = singles(0)
    assert_same_bits(after_mindspore(zero, accum=0.0)[0], singles(1))
    assert_same_bits(after_torch(zero)[0], singles(1))
    assert np.isnan(after_torch(zero, eps=0)[0])


def test_mindspore_ignores_update_slots() -> None:
    grad = singles(2, -3)
    given, default = after_mindspore(grad, update_slots=False), after_mindspore(grad)
    for one, other in zip(given, default, strict=True):
        assert_same_bits(one, other)
    assert (given[1] > 4).all()

    optimizer = MindSporeAdagrad([np.ones(2, np.float32)], update_slots=False)
    optimizer.step([grad])
    assert_same_bits(optimizer.state[0]["accum"], singles(0.1, 0.1))


def test_mindspore_rounds_float64_to_float32() -> None:
    start, zero = np.array([1 + 2**-40]), np.zeros(1)
    w, accum = after_mindspore(zero, start)
    assert_same_bits(w, np.ones(1))
    assert_same_bits(accum, np.array([0.1], np.float32).astype(np.float64))
    assert_same_bits(after_torch(zero, start)[0], start)

    ours = start.copy()
    optimizer = MindSporeAdagrad([ours])
    optimizer.step([zero])
    assert_same_bits(ours, start)
    assert_same_bits(optimizer.state[0]["accum"], np.array([0.1]))


def test_steps_and_gradients_of_none() -> None:
    grads = [singles(1), None]
    tensors = [torch.ones(1), torch.ones(1)]
    theirs = torch.optim.Adagrad(tensors)
    torch_step(theirs, tensors, grads)
    ours = TorchAdagrad([singles(1), singles(1)])
    ours.step(grads)
    assert [theirs.state[tensor]["step"].item() for tensor in tensors] == [1, 0]
    assert [ours.state[i]["step"] for i in (0, 1)] == [1, 0]

    with pytest.raises(TypeError):
        mindspore_adagrad([singles(1), singles(1)])((Tensor(grads[0]), None))
    both = MindSporeAdagrad([singles(1), singles(1)])
    both.step(grads)
    assert both.global_step == 1
    optimizer = mindspore_adagrad([singles(1)])
    mindspore_step(optimizer, [singles(1)])
    assert optimizer.global_step.asnumpy() == 1


def test_a_fixed_rate_beside_a_list_is_rounded_in_mindspore() -> None:
    names = ("a", "b")
    params = {name: parameter(name, singles(0)) for name in names}
    rates = {"a": 0.0123, "b": [0.5, 0.25]}
    optimizer = nn.Adagrad([{"params": [params[name]], "lr": rates[name]} for name in names], accum=1.0)
    mindspore_step(optimizer, [singles(1), singles(1)])
    ours = {name: singles(0) for name in names}
    MindSporeAdagrad([{"params": {name: ours[name]}, "lr": rates[name]} for name in names], 1.0).step(
        [singles(1), singles(1)]
    )
    rate = np.float32(np.float32(0.0123) + ONE) - ONE
    assert str(rate) == "0.0123000145"
    assert_same_bits(params["a"].asnumpy(), -rate * (ONE / np.sqrt(singles(2))))
    assert_same_bits(ours["a"], params["a"].asnumpy())


@pytest.mark.parametrize("rate", [-0.5, np.nan])
def test_a_rate_out_of_range_in_a_tensor_or_list(rate: float) -> None:
    theirs = mindspore_adagrad([("w", singles(0))], learning_rate=Tensor(rate))
    mindspore_step(theirs, [singles(1)])
    listed = mindspore_adagrad([("w", singles(0))], learning_rate=[rate])
    mindspore_step(listed, [singles(1)])
    ours = singles(0)
    MindSporeAdagrad({"w": ours}, learning_rate=[rate]).step([singles(1)])
    for optimizer in (theirs, listed):
        assert_same_bits(ours, optimizer._parameters[0].asnumpy())
    with pytest.raises(ValueError, match="learning rate"):
        from_mindspore(theirs)
    with pytest.raises(ValueError, match="learning rate"):
        MindSporeAdagrad([singles(0)], learning_rate=Tensor(rate))
    with pytest.raises(ValueError, match="Invalid learning rate"):
        torch.optim.Adagrad([torch.zeros(1)], lr=torch.tensor(rate))


def centralized(array: Array) -> None:
    weight = parameter("w", array)
    mindspore_step(nn.Adagrad([{"params": [weight], "grad_centralization": True}]), [array])


@pytest.mark.parametrize(
    ("error", "words", "action"),
    [
        (ValueError, "'shape' is invalid", lambda: after_mindspore(np.ones((0, 3), np.float32))),
        (TypeError, "Unsupported data type", lambda: after_mindspore(np.ones(3, np.complex64))),
        (RuntimeError, "Centralization", lambda: centralized(np.ones((2, 16), np.float32))),
        (KeyError, "the key in group", lambda: nn.Adagrad([{"params": [parameter("w", singles(1))], "accum": 0.5}])),
    ],
    ids=["empty", "complex", "centralization", "accum in a group"],
)
def test_mindspore_raises(error: type[Exception], words: str, action: Callable[[], object]) -> None:
    with pytest.raises(error, match=words):
        action()


def test_torch_takes_empty_arrays_and_so_do_both_of_ours() -> None:
    empty = np.ones((0, 3), np.float32)
    assert after_torch(empty)[0].shape == empty.shape
    for rule in (TorchAdagrad, MindSporeAdagrad):
        rule([empty.copy()]).step([empty])


def test_a_parameter_twice_in_a_group() -> None:
    tensor, weight, array = torch.ones(1), parameter("w", singles(1)), singles(1)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        theirs = torch.optim.Adagrad([{"params": [tensor, tensor]}])
    tensor.grad = torch.ones(1)
    theirs.step()
    assert theirs.state[tensor]["step"].item() == 2
    with pytest.raises(RuntimeError, match=r"(?i)more than once|duplicate|repeat"):
        nn.Adagrad([{"params": [weight, weight]}])
    for rule in (TorchAdagrad, MindSporeAdagrad):
        with pytest.raises(ValueError, match=r"^params\[1\].*: expected its own memory, got the same array as "):
            rule([{"params": [array, array]}])


def test_torch_ignores_a_start_in_a_group() -> None:
    tensor = torch.ones(1)
    optimizer = torch.optim.Adagrad([{"params": [tensor], "initial_accumulator_value": 0.5}])
    assert optimizer.state[tensor]["sum"].item() == 0


def test_fused_torch_ignores_strides() -> None:
    grad = np.array([[0, 1], [2, 3]], np.float32).T
    sums = {}
    for fused in (True, False):
        tensor = torch.zeros(2, 2)
        tensor.grad = torch.from_numpy(grad)
        optimizer = torch.optim.Adagrad([tensor], fused=fused)
        optimizer.step()
        sums[fused] = to_numpy(optimizer.state[tensor]["sum"])
    assert_same_bits(sums[False], grad * grad)
    assert_same_bits(sums[True], grad.T * grad.T)
    ours = TorchAdagrad([np.zeros((2, 2), np.float32)])
    ours.step([grad])
    assert_same_bits(ours.state[0]["sum"], grad * grad)
