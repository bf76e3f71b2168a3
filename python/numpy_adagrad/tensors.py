"""Tensors of torch and MindSpore to and from arrays; neither is imported before its tensors are there or asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from .parameters import Array


def to_array(value: Any) -> Any:
    """Turn a tensor into an array; leave all else as it is."""
    if hasattr(value, "asnumpy"):
        return value.asnumpy()
    if not type(value).__module__.startswith("torch") or not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu()
    if str(tensor.dtype) != "torch.bfloat16":
        return tensor.numpy()
    import ml_dtypes
    import torch

    return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)


def to_tensor(array: Array) -> Any:
    """Copy an array into a CPU tensor."""
    try:
        import torch
    except ImportError:
        raise ImportError("state_dict(tensors=True): expected torch to be installed") from None
    copy = np.array(array, order="C", subok=False)
    if copy.dtype.name != "bfloat16":
        return torch.from_numpy(copy)
    return torch.from_numpy(copy.view(np.int16)).view(torch.bfloat16)
