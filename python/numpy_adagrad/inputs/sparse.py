"""Gradients of selected rows or elements of a parameter."""

from __future__ import annotations

from typing import Any

from .row_sparse import RowSparse
from .stored_elements import is_scipy, scipy_elements
from .tensors import as_gradient
from .types import Array


def is_sparse(grad: Any) -> bool:
    """Return whether `grad` is a sparse gradient of one parameter."""
    return isinstance(grad, RowSparse) or is_scipy(grad)


def parts_of(grad: Any, shape: tuple[int, ...], label: str) -> tuple[Array, Array, bool] | Array | None:
    """Return the indices and values of a sparse gradient and whether they are elements, not rows.

    Return an array of another library as one of NumPy; for anything else, return None.
    """
    if isinstance(grad, RowSparse):
        return grad.indices, grad.values, False
    if is_scipy(grad):
        return *scipy_elements(grad, shape, label), True
    if hasattr(type(grad), "dense_shape"):  # a RowTensor of MindSpore, or IndexedSlices of TensorFlow
        cure = "convert it with RowSparse(grad.indices, grad.values)"
        raise TypeError(f"{label}: expected an array or a RowSparse, got {type(grad).__name__}; {cure}")
    return as_gradient(grad, label)
