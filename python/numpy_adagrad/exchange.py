"""State from and to elsewhere: tensors of torch and MindSpore, the checks of what is loaded, its taking over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import methodcaller, setitem
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


def itself(array: Array) -> Array:
    """Return the array: what stands in for `to_tensor` where no tensors are wanted."""
    return array


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


def fitted(value: Any, array: Array, label: str) -> Array:
    """Check that a loaded array fits one of ours; return it in that one's dtype."""
    if isinstance(value, np.generic):  # what NumPy makes of a 0-d result
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(value).__name__}")
    if value.shape != array.shape:
        raise ValueError(f"{label}: expected shape {array.shape}, got {value.shape}")
    if not np.can_cast(value.dtype, array.dtype, "same_kind"):
        raise TypeError(f"{label}: expected values that {array.dtype} can hold, got {value.dtype}")
    with np.errstate(all="ignore"):
        return value.astype(array.dtype, copy=False)


def fill(array: Array, value: Any) -> Callable[[], None]:
    """Return the action that fills an array in place."""
    return partial(setitem, array, ..., value)


def run_together(actions: Sequence[Callable[[], None]]) -> None:
    """Run actions written in C. No bytecode runs between them, so that Ctrl-C cannot fall between either."""
    deque(map(methodcaller("__call__"), actions), maxlen=0)
