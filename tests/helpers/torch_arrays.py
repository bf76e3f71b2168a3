"""Arrays to torch and back, bfloat16 included."""

from collections.abc import Iterable

import torch
from helpers.values import bfloat16
from numpy_adagrad.inputs.types import Array


def to_torch(array: Array) -> torch.Tensor:
    """A tensor with its own memory."""
    array = array.copy()
    if array.dtype == bfloat16:
        return torch.from_numpy(array.view("int16")).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_numpy(tensor: torch.Tensor) -> Array:
    tensor = tensor.detach().clone()
    if tensor.dtype == torch.bfloat16:
        return to_numpy(tensor.view(torch.int16)).view(bfloat16)
    array: Array = tensor.numpy()
    return array


def torch_step(
    optimizer: torch.optim.Optimizer, tensors: Iterable[torch.Tensor], grads: Iterable[Array | None]
) -> None:
    """One step with the gradients given as arrays, which stay as they are."""
    for tensor, grad in zip(tensors, grads, strict=True):
        tensor.grad = None if grad is None else to_torch(grad)
    threads = torch.get_num_threads()
    # torch wakes its threads for the smallest tensor, which takes long on a busy machine and changes no bit.
    torch.set_num_threads(1)
    optimizer.step()
    torch.set_num_threads(threads)
