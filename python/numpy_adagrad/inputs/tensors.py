"""Convert between arrays and framework tensors."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from .rounding import common
from .types import Array


def to_array(value: Any, label: str) -> Any:
    """Convert a tensor of torch or MindSpore to an array; return anything else unchanged.

    Raises
    ------
    TypeError
        For a dtype that NumPy does not have, and for a tensor without memory, as on the device meta.
    ValueError
        For a tensor whose storage has been freed.
    """
    try:
        array = _from_tensor(value)
    except (TypeError, RuntimeError) as error:
        raise _unreadable(label, value, error) from None
    check_not_freed(label, value)
    return array


def _is_torch(value: Any) -> bool:
    return issubclass(type(value), getattr(sys.modules.get("torch"), "Tensor", ()))


def _from_tensor(value: Any) -> Any:
    if hasattr(value, "asnumpy"):
        array = value.asnumpy()
        has_own_dtype = isinstance(array, np.ndarray) and array.dtype.name == "bfloat16"
        return array.view(_bfloat16("mindspore")) if has_own_dtype else array
    if not _is_torch(value):
        return value
    import torch

    tensor = value.detach()
    if tensor._is_zerotensor():  # without memory, such as the derivative of a sign
        tensor = torch.zeros_like(tensor)
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if tensor.dtype != torch.bfloat16:
        return tensor.numpy()
    return tensor.view(torch.int16).numpy().view(_bfloat16("torch"))


def _bfloat16(library: str) -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError:
        text = 'expected ml_dtypes to be installed for bfloat16; run `pip install "numpy-adagrad[bf16]"`'
        raise ImportError(f"{library}.bfloat16: {text}") from None
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


def check_not_freed(label: str, value: Any) -> None:
    """Raise ValueError for a tensor of torch whose storage has been resized to nothing: NumPy would read new memory."""
    if _is_torch(value) and value.numel() and not value.data_ptr() and not value._is_zerotensor():
        raise ValueError(f"{label}: expected a tensor with memory, got one whose storage has been freed")


def _unreadable(label: str, value: Any, error: Exception) -> TypeError:
    text = str(error).partition("\n")[0]
    return TypeError(f"{label}: expected an array that NumPy can read, got {type(value).__name__}: {text}")


def is_foreign(value: Any) -> bool:
    """Return whether a value is a single array of another library, or a scalar of NumPy."""
    kind = type(value)
    return not issubclass(kind, np.ndarray) and any(hasattr(kind, name) for name in ("__array__", "__dlpack__"))


def tensor_hint(values: Iterable[Any]) -> str:
    """Return a hint that names the class for a framework's tensors if one is among `values`, otherwise nothing."""
    kinds = tuple(type(value) for value in values)
    cures = {
        "torch": "; numpy_adagrad.torch.Adagrad takes tensors of torch, with torch's rule",
        "mindspore": "; numpy_adagrad.from_mindspore continues an optimizer of MindSpore",
    }
    for library, cure in cures.items():
        base = getattr(sys.modules.get(library), "Tensor", None)
        if base is not None and any(issubclass(kind, base) for kind in kinds):
            return cure
    return ""


def as_gradient(value: Any, label: str) -> Array | None:
    """Return a gradient of another library as an array; raise TypeError if that would copy it from another device."""
    return as_array(value, label, from_devices=False)


def as_array(value: Any, label: str, *, from_devices: bool = True) -> Array | None:
    """Return an array of another library as one of NumPy, without a copy where the library can; None for anything else.

    Raises
    ------
    TypeError
        If the library does not give its elements to NumPy, or they lie on a device and `from_devices` is False.
    """
    if not is_foreign(value):
        return None
    kind = type(value)
    try:
        if not from_devices and str(getattr(value, "device", "cpu")).startswith(("cuda", "meta", "mps", "xpu")):
            raise TypeError(f"it lies on the device {value.device}")
        if str(getattr(value, "layout", "")) == "torch.sparse_coo":
            cure = "RowSparse.from_torch" if value.sparse_dim() == 1 else "to_dense(), or make it with to_sparse(1)"
            raise TypeError(f"it is sparse; convert it with {cure}")
        array = _from_tensor(value)
        if array is value:
            array = np.asarray(value) if hasattr(kind, "__array__") else np.from_dlpack(value)
    except MemoryError:
        raise
    except Exception as error:
        raise _unreadable(label, value, error) from error
    check_not_freed(label, value)
    return array if isinstance(array, np.ndarray) else None


def any_array(value: Any, label: str) -> Any:
    """Return an array or a scalar of NumPy unchanged, and anything else as `as_array` does."""
    # Not isinstance, which believes an object that names another class as its own.
    return value if issubclass(type(value), (np.ndarray, np.generic)) else as_array(value, label)


def tensor_rows(tensor: Any, label: str) -> tuple[Array, Array]:
    """Return the indices and values of a sparse COO tensor of torch."""
    layout = str(getattr(tensor, "layout", type(tensor).__name__))
    if layout != "torch.sparse_coo":
        raise TypeError(f"{label}: expected a sparse COO tensor of torch, got {layout}")
    if tensor.sparse_dim() != 1:
        raise ValueError(f"{label}: expected one sparse dimension, as of to_sparse(1), got {tensor.sparse_dim()}")
    tensor = tensor.detach()
    return tensor._indices()[0].numpy(), to_array(tensor._values(), label)


def identity(array: Any) -> Any:
    """Return the array unchanged; takes the place of `to_tensor` if no tensors are requested."""
    return array


def to_tensor(array: Array | np.generic) -> Any:
    """Copy an array into a CPU tensor of torch; convert a scalar of NumPy, which torch.load rejects, into Python's."""
    if isinstance(array, np.generic):
        return common(np.asarray(array)).item()
    try:
        import torch
    except ImportError:
        raise ImportError("tensors=True: expected torch to be installed") from None
    copy = np.array(common(array), order="C", subok=False)
    if copy.dtype.name != "bfloat16":
        return torch.from_numpy(copy)
    return torch.from_numpy(copy.view(np.int16)).view(torch.bfloat16)


def option_to_tensor(value: Any) -> Any:
    """Convert an option of a group as `to_tensor` does; return anything but an array of some library unchanged."""
    array = any_array(value, "param_groups")
    return value if array is None or array.dtype == object else to_tensor(array)


def to_parameter(name: str, array: Array) -> Any:
    """Copy an array into a MindSpore parameter, the type that MindSpore's checkpoints contain."""
    try:
        import mindspore
    except ImportError:
        raise ImportError("tensors=True: expected mindspore to be installed") from None
    return mindspore.Parameter(mindspore.Tensor(np.array(array, order="C", subok=False)), name=name)


def is_cell(value: Any) -> bool:
    """Return whether an option is a cell of MindSpore, as its schedules are."""
    library = sys.modules.get("mindspore.nn")
    return library is not None and isinstance(value, library.Cell)


def check_no_cell(expected: str, value: Any) -> None:
    """Raise TypeError for a schedule of MindSpore."""
    if is_cell(value):
        cure = "give one of numpy_adagrad.schedules, or construct MindSporeAdagrad with it"
        raise TypeError(f"{expected} MindSpore's {type(value).__name__}, which takes a tensor; {cure}")
