"""Convert between arrays and framework tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .types import Array


def to_array(value: Any) -> Any:
    """Convert a tensor of torch or MindSpore to an array; return anything else unchanged."""
    if hasattr(value, "asnumpy"):
        return value.asnumpy()
    if not type(value).__module__.startswith("torch") or not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu().resolve_conj().resolve_neg()
    if str(tensor.dtype) != "torch.bfloat16":
        return tensor.numpy()
    try:
        import ml_dtypes
    except ImportError:
        text = 'expected ml_dtypes to be installed for bfloat16; run `pip install "numpy-adagrad[bf16]"`'
        raise ImportError(f"torch.bfloat16: {text}") from None
    import torch

    return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)


def identity(array: Array) -> Array:
    """Return the array unchanged; takes the place of `to_tensor` if no tensors are requested."""
    return array


def to_tensor(array: Array) -> Any:
    """Copy an array into a CPU tensor of torch."""
    try:
        import torch
    except ImportError:
        raise ImportError("tensors=True: expected torch to be installed") from None
    copy = np.array(array, order="C", subok=False)
    if copy.dtype.name != "bfloat16":
        return torch.from_numpy(copy)
    return torch.from_numpy(copy.view(np.int16)).view(torch.bfloat16)


def to_parameter(name: str, array: Array) -> Any:
    """Copy an array into a MindSpore parameter, the type that MindSpore's checkpoints contain."""
    try:
        import mindspore
    except ImportError:
        raise ImportError("tensors=True: expected mindspore to be installed") from None
    return mindspore.Parameter(mindspore.Tensor(np.array(array, order="C", subok=False)), name=name)
