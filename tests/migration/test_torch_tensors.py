"""The tensors of a torch optimizer: gradients as arrays, memory that is gone, options that change later."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.errors import raises
from helpers.values import bfloat16
from numpy_adagrad import RowSparse, TorchAdagrad, from_torch, to_torch, torch_grads


def test_torch_grads() -> None:
    """Dense gradients share torch's memory; sparse, conjugated and missing ones come in the form that `step` takes."""
    dense, half, table, idle, phase = (
        torch.ones(3, requires_grad=True),
        torch.ones(3, dtype=torch.bfloat16, requires_grad=True),
        torch.ones(5, 2, requires_grad=True),
        torch.ones(2, requires_grad=True),
        torch.ones(2, dtype=torch.complex64, requires_grad=True),
    )
    dense.grad, half.grad = torch.full((3,), 2.0), torch.full((3,), 3.0, dtype=torch.bfloat16)
    with torch.sparse.check_sparse_tensor_invariants(False):
        table.grad = torch.sparse_coo_tensor(torch.tensor([[4, 1]]), torch.ones(2, 2), (5, 2))
    phase.grad = torch.full((2,), 1 + 2j, dtype=torch.complex64).conj()
    optimizer = torch.optim.Adagrad([dense, half, table, idle, phase])
    grads = torch_grads(optimizer)
    assert isinstance(grads[0], np.ndarray)
    assert grads[0].__array_interface__["data"][0] == dense.grad.data_ptr()
    assert isinstance(grads[1], np.ndarray)
    assert grads[1].dtype == bfloat16
    assert grads[1].tolist() == [3, 3, 3]
    assert isinstance(grads[2], RowSparse)
    assert grads[2].indices.tolist() == [4, 1]
    assert grads[3] is None
    assert isinstance(grads[4], np.ndarray)
    assert grads[4].tolist() == [1 - 2j, 1 - 2j]
    from_torch(optimizer).step(grads)
    assert [float(optimizer.state[p]["step"]) for p in (dense, half, table, idle, phase)] == [1, 1, 1, 0, 1]


def test_sparse_gradients_of_bfloat16() -> None:
    layer = torch.nn.Embedding(4, 2, sparse=True, dtype=torch.bfloat16)
    optimizer = torch.optim.Adagrad(layer.parameters())
    layer(torch.tensor([1, 1, 2])).sum().backward()
    (grad,) = torch_grads(optimizer)
    assert isinstance(grad, RowSparse)
    assert (grad.values.dtype, grad.values.tolist()) == (bfloat16, [[1, 1]] * 3)
    from_torch(optimizer).step([grad])


def test_later_changes_of_an_option_in_torch_have_no_effect() -> None:
    tensor = torch.zeros(2)
    optimizer = torch.optim.Adagrad([tensor], lr=0.5, eps=0)
    ours = from_torch(optimizer)
    optimizer.param_groups[0].update(lr=9.0, maximize=True)
    ours.step([np.ones(2, np.float32)])
    assert tensor.tolist() == [-0.5, -0.5]
    to_torch(ours, optimizer)
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["maximize"]) == (0.5, False)


def test_tensors_without_memory() -> None:
    """The derivative of a sign is zero; a freed gradient was read as whatever lies at the address 0 or elsewhere."""
    param = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.Adagrad([param])
    param.sgn().sum().backward()
    assert param.grad is not None
    assert param.grad._is_zerotensor()
    grads: Any = torch_grads(optimizer)
    assert_same_bits(grads[0], np.zeros(3, np.float32))
    from_torch(optimizer).step([param.grad])
    assert param.tolist() == [1, 1, 1]
    param.grad = torch.ones(3)
    param.grad.untyped_storage().resize_(0)
    text = "grads[0]: expected a tensor with memory, got one whose storage has been freed"
    raises(ValueError, text, lambda: torch_grads(optimizer))
    raises(ValueError, text, lambda: TorchAdagrad([np.ones(3, np.float32)]).step([param.grad]))


def test_a_rate_that_torch_replaces() -> None:
    """Its memory is shared; a load leaves the other tensors where they are."""
    optimizer = torch.optim.Adagrad([torch.ones(2)], lr=torch.tensor(0.5))
    ours = from_torch(optimizer)
    optimizer.load_state_dict(optimizer.state_dict())
    text = "param_groups[0]['lr']: expected the memory that from_torch shared, got other memory; call from_torch again"
    raises(ValueError, text, lambda: ours.step([np.ones(2, np.float32)]))


def test_a_warning_shows_the_line_of_the_caller() -> None:
    optimizer = torch.optim.Adagrad([{"params": [torch.zeros(2)], "learning_rate": 0.5}])
    with pytest.warns(UserWarning, match="does not read the key 'learning_rate'") as warned:
        from_torch(optimizer)
    assert [warning.filename for warning in warned] == [__file__]
