"""The indices of sparse gradients, and the stored elements of sparse arrays of SciPy."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .memmap import check_arrays
from .tensors import as_array
from .types import Array
from .validation import check_shape, check_unmasked


def is_scipy(grad: Any) -> bool:
    scipy = sys.modules.get("scipy.sparse")
    return scipy is not None and bool(scipy.issparse(grad))


def scipy_elements(matrix: Any, shape: tuple[int, ...], label: str) -> tuple[Array, Array]:
    """Return the flat indices (in C order) and the values of the stored entries, in the order of storage."""
    form, got = matrix.format, matrix.shape
    if form not in ("csr", "csc", "coo"):
        raise TypeError(f"{label}: expected the format csr, csc or coo, got {form}; convert it with .tocsr()")
    values = matrix.data
    check_shape(label, shape, got)
    check_is_array(values, f"{label}.data")
    if values.ndim != 1:
        raise ValueError(f"{label}.data: expected one dimension, got shape {values.shape}")
    if form == "coo":
        found = _core.coordinate_elements(shape, coordinates(matrix), len(values))
    else:
        lines, size = (1, *shape)[-2:] if form == "csr" else shape[::-1]
        found = _core.compressed_elements(matrix.indptr, matrix.indices, lines, size, len(values), form == "csc")
    return (_checked_elements(matrix, shape, len(values), label) if found is None else found), values


def check_is_array(array: Any, label: str) -> None:
    if not issubclass(type(array), np.ndarray):  # isinstance believes an object that names another class as its own
        raise TypeError(f"{label}: expected a NumPy array, got {type(array).__name__}")


def check_mapped(label: str, arrays: dict[str, Array]) -> None:
    """Raise ValueError if an array of a sparse gradient lies in a file cut short."""
    if any(_core.mapping_of(array) is not None for array in arrays.values()):
        check_arrays((f"{label}.{name}", array) for name, array in arrays.items())


def _checked_elements(matrix: Any, shape: tuple[int, ...], count: int, label: str) -> Array:
    """Return the same flat indices for other kinds of index arrays; raise an error for those that do not fit."""
    if matrix.format == "coo":
        arrays = {f"coords[{axis}]": places for axis, places in enumerate(coordinates(matrix))}
    else:
        arrays = {"indices": matrix.indices, "indptr": matrix.indptr}
    for name, array in arrays.items():
        check_is_array(array, f"{label}.{name}")
        check_unmasked(f"{label}.{name}", array)
        if array.dtype.kind not in "iu":
            raise TypeError(f"{label}.{name}: expected integers, got {array.dtype}")
    check_mapped(label, arrays)
    if matrix.format == "coo":
        axes = list(arrays.values())
        if len(axes) != len(shape):
            raise ValueError(f"{label}.coords: expected {len(shape)} arrays, got {len(axes)}")
        for (name, places), size in zip(arrays.items(), shape, strict=True):
            check_shape(f"{label}.{name}", (count,), places.shape)
            check_indices(places, size, f"{label}.{name}")
    else:
        axes = _compressed_axes(arrays, shape, count, label, by_column=matrix.format == "csc")
    elements = np.zeros(count, np.int64)
    for size, places in zip(shape, axes, strict=True):
        elements *= size
        elements += places.astype(np.int64, copy=False)
    return elements


def coordinates(matrix: Any) -> tuple[Array, ...]:
    """Return the indices of a coo array along each axis. SciPy before 1.13 has no name for all of them."""
    return tuple(matrix.coords) if hasattr(matrix, "coords") else (matrix.row, matrix.col)


def _compressed_axes(
    arrays: dict[str, Array], shape: tuple[int, ...], count: int, label: str, *, by_column: bool
) -> list[Array]:
    """Check the index arrays of a csr or csc array; return the indices along each axis."""
    indices, indptr = arrays["indices"], arrays["indptr"]
    *lines, size = shape[::-1] if by_column else shape
    check_shape(f"{label}.indices", (count,), indices.shape)
    check_shape(f"{label}.indptr", (math.prod(lines) + 1,), indptr.shape)
    if (indptr[1:] < indptr[:-1]).any():
        raise ValueError(f"{label}.indptr: expected ascending values, got a descent")
    if indptr[0] != 0 or indptr[-1] != count:
        raise ValueError(f"{label}.indptr: expected values from 0 to {count}, got {indptr[0]} to {indptr[-1]}")
    check_indices(indices, size, f"{label}.indices")
    if not lines:
        return [indices]
    rows = np.repeat(np.arange(lines[0]), np.diff(indptr).astype(np.int64))
    return [indices, rows] if by_column else [rows, indices]


def as_indices(indices: npt.ArrayLike, label: str = "indices") -> Array:
    """Return the indices of rows as an array; raise TypeError for another dtype or a mask."""
    array = read_array(indices, label)
    if array.size == 0:  # NumPy makes an empty list an array of float64
        array = array.astype(np.int64)
    if array.dtype not in (np.int32, np.int64):
        cures = {"b": "; give the numbers of the rows, as np.flatnonzero does"}
        cures |= dict.fromkeys("iu", "; cast them with .astype(np.int64)")
        raise TypeError(f"{label}: expected int32 or int64, got {array.dtype}{cures.get(array.dtype.kind, '')}")
    return array


def read_array(given: npt.ArrayLike, label: str) -> Array:
    """Return what was given as an array; raise an error for a mask, or for rows of different lengths."""
    check_unmasked(label, given)
    array = as_array(given, label)
    if array is not None:
        return array
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ValueError(
            f"{label}: expected an array, got a {type(given).__name__} that cannot become one: {error}"
        ) from None


def check_indices(places: Array, size: int, label: str) -> None:
    """Raise IndexError for the first index that is not in [0, size)."""
    if len(places) and not 0 <= places.min() <= places.max() < size:
        position = int(np.argmax((places < 0) | (places >= size)))
        raise IndexError(f"{label}: expected indices in [0, {size}), got {places[position]} at position {position}")
