"""The errors of from_torch and to_torch, which change nothing."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.errors import raises
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, from_torch, to_torch, torch_grads
from numpy_adagrad.torch import Adagrad
from torch.testing._internal.two_tensor import TwoTensor


def wrong_optimizers() -> dict[str, tuple[Any, type[Exception], str]]:
    meta = torch.nn.Parameter(torch.ones(2, device="meta"))
    whole = torch.ones(4)
    changed = torch.optim.Adagrad([torch.ones(3)])
    changed.state[changed.param_groups[0]["params"][0]]["sum"] = torch.ones(4)
    conjugated = torch.ones(2, dtype=torch.complex64).conj()
    return {
        "no optimizer": ([], TypeError, "optimizer: expected a torch.optim.Adagrad, got builtins.list"),
        "another one": (
            torch.optim.SGD([torch.ones(2)]),
            TypeError,
            "optimizer: expected a torch.optim.Adagrad, got torch.optim.sgd.SGD",
        ),
        "no memory": (
            torch.optim.Adagrad([meta]),
            ValueError,
            "params[0]: expected a strided tensor on the CPU, got torch.strided on meta",
        ),
        "no dtype of NumPy": (
            torch.optim.Adagrad([torch.ones(2), torch.ones(2).to(torch.float8_e4m3fn)]),
            TypeError,
            "params[1]: expected an array that NumPy can read, got Tensor: Got unsupported ScalarType Float8_e4m3fn",
        ),
        "no own memory": (
            torch.optim.Adagrad([TwoTensor(torch.ones(2), torch.ones(2))]),
            TypeError,
            "params[0]: expected an array that NumPy can read, got TwoTensor: .numpy() is not supported for tensor",
        ),
        "conjugated": (
            torch.optim.Adagrad([conjugated]),
            ValueError,
            "params[0]: expected a tensor with its own values, got a conjugated or negated view",
        ),
        "overlap": (torch.optim.Adagrad([whole[:3], whole[1:]]), ValueError, "params[1]"),
        "misspelt key": (
            torch.optim.Adagrad([{"params": [torch.ones(2)], "weight_dcay": 0.1}]),
            KeyError,
            "param_groups: expected names of options, got 'weight_dcay'; did you mean 'weight_decay'?",
        ),
        "differentiable": (torch.optim.Adagrad([torch.ones(2)], differentiable=True), ValueError, "differentiable"),
        "shape of a sum": (changed, ValueError, "sum[0]: expected shape (3,), got (4,)"),
    }


@pytest.mark.parametrize("case", wrong_optimizers())
def test_errors_of_from_torch(case: str) -> None:
    optimizer, kind, message = wrong_optimizers()[case]
    states = dict(getattr(optimizer, "state", {}))
    with pytest.raises(kind) as caught:
        from_torch(optimizer)
    assert message in str(caught.value)
    assert dict(getattr(optimizer, "state", {})) == states


def test_errors_of_torch_grads() -> None:
    params = [torch.ones(2, 2), torch.ones(2, 2)]
    params[1].grad = torch.ones(2, 2).to_sparse()
    optimizer = torch.optim.Adagrad(params)
    message = "grads[1]: expected one sparse dimension, as of to_sparse(1), got 2"
    raises(ValueError, message, lambda: torch_grads(optimizer))
    params[1].grad = torch.ones(2, 2).to_sparse(1)
    params[1].data = torch.ones(5, 2)
    raises(ValueError, "grads[1]: expected shape (5, 2), got (2, 2)", lambda: torch_grads(optimizer))


@pytest.mark.parametrize(
    ("state", "kind", "message"),
    [
        ({"step": 1}, KeyError, "\"state[0]: expected an entry 'sum'\""),
        ({"sum": torch.ones(2)}, KeyError, "\"state[0]: expected an entry 'step'\""),
        ({"sum": torch.ones(2), "step": None}, TypeError, "state[0]['step']: expected a number or a 1-element array"),
        ({"sum": None, "step": torch.tensor(1.0)}, TypeError, "sum[0]: expected a tensor, got NoneType"),
        (5, TypeError, "state[0]: expected a dict, got int"),
    ],
)
def test_a_state_of_another_form(state: Any, kind: type[Exception], message: str) -> None:
    for adagrad in (torch.optim.Adagrad, Adagrad):
        param = torch.ones(2)
        param.grad = torch.ones(2)
        optimizer = adagrad([param])
        optimizer.state[param] = state
        with pytest.raises(kind) as caught:
            optimizer.step() if adagrad is Adagrad else from_torch(optimizer)
        assert str(caught.value).startswith(message)
        assert (optimizer.state[param], param.tolist()) == (state, [1, 1])


def wrong_targets() -> dict[str, tuple[Any, type[Exception], str]]:
    def adagrad(*params: Any, **options: Any) -> Any:
        return torch.optim.Adagrad(list(params), **options)

    return {
        "another": (torch.optim.SGD([torch.ones(2)]), TypeError, "optimizer: expected a torch.optim.Adagrad"),
        "count": (adagrad(torch.ones(3)), ValueError, "sizes of groups: expected [2], got [1]"),
        "groups": (
            adagrad({"params": [torch.ones(3)]}, {"params": [torch.ones(2)]}),
            ValueError,
            "sizes of groups: expected [2], got [1, 1]",
        ),
        "names": (
            adagrad(("b", torch.ones(3)), ("a", torch.ones(2))),
            ValueError,
            "names: expected ['a', 'b'], got ['b', 'a']",
        ),
        "shape": (adagrad(torch.ones(3), torch.ones(3)), ValueError, "params[1]: expected shape (2,), got (3,)"),
        "dtype": (
            adagrad(torch.ones(3), torch.ones(2).double()),
            TypeError,
            "params[1]: expected dtype float32, got float64",
        ),
        "rate": (
            adagrad(torch.ones(3), torch.ones(2), lr=torch.tensor(1)),
            ValueError,
            "param_groups[0]['lr']: expected a tensor that holds 0.5, got int64",
        ),
    }


@pytest.mark.parametrize("case", wrong_targets())
def test_errors_of_to_torch(case: str) -> None:
    """Nothing is written, neither values nor options nor state."""
    optimizer, kind, message = wrong_targets()[case]
    ours = TorchAdagrad({"a": np.full(3, 5, np.float32), "b": np.full(2, 5, np.float32)}, lr=0.5, eps=0.5)
    ours.step({"a": np.ones(3, np.float32), "b": np.ones(2, np.float32)})
    before = repr(optimizer.state_dict())
    with pytest.raises(kind) as caught:
        to_torch(ours, optimizer)
    assert message in str(caught.value)
    assert repr(optimizer.state_dict()) == before
    assert all(bool((tensor == 1).all()) for group in optimizer.param_groups for tensor in group["params"])


def test_a_float32_accumulator_of_a_half_parameter_is_not_carried() -> None:
    ours = TorchAdagrad([np.ones(3, np.float16)], state_dtype=np.float32)
    tensor = torch.zeros(3, dtype=torch.float16)
    with pytest.raises(TypeError, match=r"^sum\[0\]: expected dtype float32, got float16$"):
        to_torch(ours, torch.optim.Adagrad([tensor]))
    assert tensor.tolist() == [0, 0, 0]


def test_groups_that_share_the_tensor_of_their_rate() -> None:
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adagrad([{"params": [torch.ones(2)]}, {"params": [torch.ones(2)]}], lr=rate)
    ours = from_torch(optimizer)
    ours.param_groups[0]["lr"] = 0.25
    message = r"^param_groups\[1\]\['lr'\]: expected 0\.25, the rate of another group with the same tensor, got 0\.5; "
    with pytest.raises(ValueError, match=message):
        to_torch(ours, optimizer)
    assert rate == 0.5
    ours.param_groups[1]["lr"] = 0.25
    to_torch(ours, optimizer)
    assert rate == 0.25


def test_only_our_own_torch_rule_is_written() -> None:
    other: Any = MindSporeAdagrad([np.ones(2, np.float32)])
    with pytest.raises(TypeError, match=r"^opt: expected a numpy_adagrad\.TorchAdagrad, got numpy_adagrad\."):
        to_torch(other, torch.optim.Adagrad([torch.ones(2)]))
