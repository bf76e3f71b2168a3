"""The gradients of one rank, checked before any rank sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .. import _core
from ..inputs.gradients import Grads, flat_grads
from ..inputs.memmap import check_arrays
from ..inputs.row_sparse import RowSparse
from ..inputs.sparse import is_sparse
from ..inputs.stored_elements import check_indices, check_mapped, scipy_elements
from ..inputs.tensors import as_gradient
from ..inputs.types import Array
from ..inputs.validation import check_shape
from .facts import Facts, array_labels


class SparseGrad(NamedTuple):
    """A gradient of some rows of a parameter, or of some elements, whose indices are those of the flat parameter."""

    indices: Array
    values: Array
    has_rows: bool


Grad: TypeAlias = "Array | SparseGrad | None"


def read_grads(
    grads: Grads | None, shapes: Sequence[tuple[int, ...]], names: Sequence[str], single_param: bool
) -> list[Grad]:
    """Return the gradient of each parameter, all of them checked."""
    if grads is None:
        raise TypeError("grads: expected arrays in the form of the parameters, got None")
    flat = flat_grads(grads, names, single_param)
    if len(flat) != len(shapes):
        raise ValueError(f"grads: expected {len(shapes)}, one for each parameter, got {len(flat)}")
    labels = array_labels("grads", len(shapes), names)
    return [read_grad(grad, shape, label) for grad, shape, label in zip(flat, shapes, labels, strict=True)]


def grad_facts(grads: Sequence[Grad], names: Sequence[str]) -> Facts:
    """Return what all ranks must have in common: the kind and dtype of each gradient."""
    labels = array_labels("grads", len(grads), names)
    return {label: _kind(grad) for label, grad in zip(labels, grads, strict=True)}


def _kind(grad: Grad) -> str:
    if grad is None:
        return "None"
    if isinstance(grad, SparseGrad):
        return f"{'rows' if grad.has_rows else 'stored elements'} of {grad.values.dtype}"
    return f"an array of {grad.dtype}"


def read_grad(grad: Any, shape: tuple[int, ...], label: str) -> Grad:
    """Check the gradient of a parameter of this shape."""
    if grad is None:
        return None
    if isinstance(grad, RowSparse):
        return read_rows(grad, shape, label)
    if is_sparse(grad):
        indices, values = scipy_elements(grad, shape, label)
        check_mapped(label, {"data": values})
        _core.check_array(values, label)
        return SparseGrad(indices.astype(np.int64), values, has_rows=False)
    converted = None if isinstance(grad, np.ndarray) else as_gradient(grad, label)
    array: Array = grad if converted is None else converted
    _core.check_array(array, label)
    check_shape(label, shape, array.shape)
    check_arrays([(label, array)])
    return array


def read_rows(grad: RowSparse, shape: tuple[int, ...], label: str) -> SparseGrad:
    """Check a gradient of some rows of a parameter of this shape."""
    indices, values = grad.indices, grad.values
    if not shape:
        raise ValueError(f"{label}: expected an array, as the parameter has no rows")
    if indices.ndim != 1:
        raise ValueError(f"{label}.indices: expected one dimension, got shape {indices.shape}")
    check_mapped(label, {"indices": indices, "values": values})
    _core.check_array(values, f"{label}.values")
    check_shape(f"{label}.values", (len(indices), *shape[1:]), values.shape)
    check_indices(indices, shape[0], f"{label}.indices")
    return SparseGrad(indices.astype(np.int64), values, has_rows=True)
