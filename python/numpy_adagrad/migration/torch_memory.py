"""The memory of tensors as the drop-in reads it. Importing this module imports torch."""

from __future__ import annotations

from typing import Any

import torch

from .. import _core
from ..inputs.tensors import check_not_freed, to_array
from ..inputs.types import Array
from ..inputs.validation import check_shape
from .torch_tensors import check_shareable

READER = _core.TensorReader(torch.Tensor)


def array_over(tensor: Any, label: str, *, keep: bool = False) -> Array:
    """Return an array over a tensor's memory, also for a subclass whose elements lie in its own memory.

    The array refers to the tensor if `keep` is True. It never holds the memory itself, which torch may replace between
    two steps: each step looks where it is.
    """
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{label}: expected a tensor, got {type(tensor).__name__}")
    if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        raise TypeError(f"{label}: expected a tensor with its own memory, got {type(tensor).__name__}")
    array = READER.array_over(tensor, keep)
    if array is None:
        own = tensor.detach().as_subclass(torch.Tensor)
        check_shareable(label, own)
        check_not_freed(label, own)
        # A second storage over the same memory: NumPy forbids to resize the one that it is given.
        array = to_array(torch.from_dlpack(torch.utils.dlpack.to_dlpack(own)), label)
    return array


def read_grad(
    grad: Any, label: str, group: dict[str, Any], shape: tuple[int, ...]
) -> Array | tuple[Array, Array, bool]:
    """Return a gradient as an array, or the indices and values of a sparse one and whether they are elements.

    The caller checks the shape of an array; of a sparse gradient, it does not see it.
    """
    grad = grad.detach()
    if grad._is_zerotensor():  # without memory, such as the derivative of a sign
        grad = torch.zeros_like(grad)
    if not grad.is_sparse:
        return array_over(grad.resolve_conj().resolve_neg(), label, keep=True)
    if group["weight_decay"] != 0:
        raise RuntimeError("weight_decay option is not compatible with sparse gradients")
    check_shape(label, tuple(shape), tuple(grad.shape))
    dims = grad.sparse_dim()
    if dims not in (1, grad.dim()):
        raise ValueError(f"{label}: expected 1 sparse dimension or all {grad.dim()}, got {dims}")
    # torch adds equal rows in its own order, and negates before it adds.
    grad = -(-grad).coalesce() if group["maximize"] else grad.coalesce()
    indices = grad._indices()
    if dims != 1:
        strides = torch.tensor(torch.empty(grad.shape, device="meta").stride(), device="cpu")
        indices = (indices * strides[:, None]).sum(0, keepdim=True)
    return array_over(indices[0], label, keep=True), array_over(grad._values(), label, keep=True), dims == grad.dim()
