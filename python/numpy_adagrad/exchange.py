"""State from and to elsewhere: tensors of torch and MindSpore, the checks of what comes, its taking over."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import methodcaller, setitem
from typing import Any

import numpy as np

from .parameters import Array, number


def to_array(value: Any) -> Any:
    """Turn a tensor into an array; leave all else as it is."""
    if hasattr(value, "asnumpy"):
        return value.asnumpy()
    if not type(value).__module__.startswith("torch") or not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu().resolve_conj().resolve_neg()
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
        raise ImportError("tensors=True: expected torch to be installed") from None
    copy = np.array(array, order="C", subok=False)
    if copy.dtype.name != "bfloat16":
        return torch.from_numpy(copy)
    return torch.from_numpy(copy.view(np.int16)).view(torch.bfloat16)


def to_parameter(name: str, array: Array) -> Any:
    """Copy an array into a parameter of MindSpore's, which is what its checkpoints hold."""
    try:
        import mindspore
    except ImportError:
        raise ImportError("tensors=True: expected mindspore to be installed") from None
    return mindspore.Parameter(mindspore.Tensor(np.array(array, order="C", subok=False)), name=name)


def check_shape(label: str, expected: tuple[int, ...], got: tuple[int, ...]) -> None:
    """Refuse another shape."""
    if got != expected:
        raise ValueError(f"{label}: expected shape {expected}, got {got}")


def fitted(value: Any, array: Array, label: str) -> Array:
    """Check that a loaded array fits one of ours; return it in that one's dtype."""
    if isinstance(value, np.generic):  # what NumPy makes of a 0-d result
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(value).__name__}")
    check_shape(label, array.shape, value.shape)
    if not np.can_cast(value.dtype, array.dtype, "same_kind"):
        raise TypeError(f"{label}: expected values that {array.dtype} can hold, got {value.dtype}")
    with np.errstate(all="ignore"):
        return value.astype(array.dtype, copy=False)


def check_kind(label: str, value: Any, module: str, name: str) -> None:
    """Refuse what is no instance of a class, without importing the library that it is of."""
    library = sys.modules.get(module)
    if library is None or not isinstance(value, getattr(library, name)):
        kind = type(value)
        raise TypeError(f"{label}: expected a {module}.{name}, got {kind.__module__}.{kind.__qualname__}")


def check_same(label: str, ours: Any, theirs: Any) -> None:
    """Refuse what must be the same on both sides and is not."""
    if ours != theirs:
        raise ValueError(f"{label}: expected {ours}, got {theirs}")


def check_fit(label: str, array: Array, value: Array) -> None:
    """Refuse an array that cannot take a value as it is."""
    check_shape(label, value.shape, array.shape)
    if array.dtype != value.dtype:
        raise TypeError(f"{label}: expected dtype {value.dtype}, got {array.dtype}")


def same_memory(one: Array, other: Array) -> bool:
    """Tell whether two arrays of one dtype are the same elements."""
    keys = ("data", "shape", "strides")
    return all(one.__array_interface__[key] == other.__array_interface__[key] for key in keys)


def counted(value: Any, label: str) -> float:
    """Read a number of steps."""
    count = number(to_array(value), label)
    if not (count >= 0 and count.is_integer()):
        raise ValueError(f"{label}: expected a whole number of steps, got {count}")
    return count


def fill(array: Array, value: Any) -> Callable[[], None]:
    """Return the action that fills an array in place."""
    return partial(setitem, array, ..., value)


def run_together(actions: Sequence[Callable[[], None]]) -> None:
    """Run actions written in C. No bytecode runs between them, so that Ctrl-C cannot fall between either."""
    deque(map(methodcaller("__call__"), actions), maxlen=0)
