"""Each error of a step is one line, and nothing has changed, whether or not it is the first step."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.dropin import contents, parameters, set_grads
from helpers.errors import error_of
from numpy_adagrad.torch import Adagrad

Params = list[torch.Tensor]


def alias_param(params: Params, optimizer: Any) -> None:
    params[1].grad = params[1].detach()


def alias_other_param(params: Params, optimizer: Any) -> None:
    params[1].grad = params[0].detach()[:2, :3].reshape(-1).as_strided((4,), (1,))


def alias_sum(params: Params, optimizer: Any) -> None:
    params[1].grad = optimizer.state[params[1]]["sum"]


def overlapping(params: Params, optimizer: Any) -> None:
    params[1].data = params[0].data.view(-1)[2:6]


def expanded(params: Params, optimizer: Any) -> None:
    params[1].data = torch.ones(1).expand(4)


def repeated(params: Params, optimizer: Any) -> None:
    optimizer.param_groups[0]["params"].append(params[1])


def meta_sum(params: Params, optimizer: Any) -> None:
    optimizer.state[params[1]]["sum"] = torch.empty(4, device="meta")


def sum_shape(params: Params, optimizer: Any) -> None:
    optimizer.state[params[1]]["sum"] = torch.ones(5)


def sum_dtype(params: Params, optimizer: Any) -> None:
    optimizer.state[params[1]]["sum"] = torch.ones(4, dtype=torch.float64)


def hybrid(params: Params, optimizer: Any) -> None:
    params[2].grad = torch.ones(2, 2, 2).to_sparse(2)


def decayed_sparse(params: Params, optimizer: Any) -> None:
    optimizer.param_groups[0]["weight_decay"] = 0.1
    params[0].grad = torch.ones(3, 3).to_sparse(1)


def set_grad_of_another_shape(param: torch.Tensor, grad: torch.Tensor) -> None:
    """The parameter gets another shape after its gradient, as a table does whose rows are inserted too late."""
    data, param.data = param.data, torch.empty(grad.shape)
    param.grad, param.data = grad, data


def sparse_rows_of_another_shape(params: Params, optimizer: Any) -> None:
    set_grad_of_another_shape(params[0], torch.eye(2, 3).to_sparse(1))


def sparse_elements_of_another_shape(params: Params, optimizer: Any) -> None:
    set_grad_of_another_shape(params[0], torch.ones(9, 1).to_sparse())


def sparse_scalar(params: Params, optimizer: Any) -> None:
    params[3].grad = torch.tensor(2.0).to_sparse()


def differentiable(params: Params, optimizer: Any) -> None:
    optimizer.param_groups[0]["differentiable"] = True


def rate(params: Params, optimizer: Any) -> None:
    optimizer.param_groups[0]["lr"] = "fast"


SHARED = "expected its own memory, got an overlap with"
ERRORS: list[tuple[Callable[[Params, Any], None], type[Exception], str]] = [
    (alias_param, ValueError, f"grads[1]: {SHARED} params[1]"),
    (alias_other_param, ValueError, f"grads[1]: {SHARED} params[0]"),
    (alias_sum, ValueError, f"grads[1]: {SHARED} sum[1]"),
    (overlapping, ValueError, f"params[1]: {SHARED} params[0]"),
    (expanded, ValueError, "params[1]: expected its own memory for each element, got strides (0,)"),
    (repeated, ValueError, f"params[4]: {SHARED} params[1]"),
    (meta_sum, ValueError, "sum[1]: expected a strided tensor on the CPU, got torch.strided on meta"),
    (sum_shape, ValueError, "sum[1]: expected shape (4,), got (5,)"),
    (sum_dtype, TypeError, "sum[1]: expected the dtype float32 of its parameter, got float64"),
    (hybrid, ValueError, "grads[2]: expected 1 sparse dimension or all 3, got 2"),
    (sparse_rows_of_another_shape, ValueError, "grads[0]: expected shape (3, 3), got (2, 3)"),
    (sparse_elements_of_another_shape, ValueError, "grads[0]: expected shape (3, 3), got (9, 1)"),
    (sparse_scalar, ValueError, "grads[3]: expected an array, as the parameter has no rows"),
    (decayed_sparse, RuntimeError, "weight_decay option is not compatible with sparse gradients"),
    (
        differentiable,
        ValueError,
        "differentiable: expected False, as autograd does not see the step, got True; torch.optim.Adagrad has it",
    ),
    (rate, TypeError, "param_groups[0]['lr']: expected a number or a 1-element array, got str"),
]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(("change", "error", "message"), ERRORS)
def test_nothing_has_changed(
    change: Callable[[Params, Any], None], error: type[Exception], message: str, warm: bool
) -> None:
    params = parameters([(3, 3), (4,), (2, 2, 2), ()])
    optimizer = Adagrad(params, lr=0.1)
    set_grads(params, 0)
    if warm:
        optimizer.step()
        set_grads(params, 1)
    change(params, optimizer)
    before = contents(params, optimizer)
    for _ in range(2):
        found, text = error_of(optimizer.step)
        assert (found, text) == (error, message)
        assert contents(params, optimizer) == before
