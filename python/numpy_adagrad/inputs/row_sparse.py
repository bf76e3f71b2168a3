"""A gradient for selected rows of a parameter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .rounding import ieee, rounded
from .stored_elements import as_indices, check_indices, check_mapped, is_scipy, read_array, scipy_elements
from .tensors import tensor_rows
from .types import Array, Number
from .validation import check_shape, number


class RowSparse:
    r"""A gradient for selected rows of a parameter.

    A step first sums the values of each row::

        total[indices[k]] += values[k]      for k in order, each sum rounded to the dtype of the values

    and then applies the rule once to each row in `indices`. All other rows and their accumulators keep their bits,
    whereas a dense gradient of zeros would apply weight decay to them. `grad_scale`, `max_norm` and the norm use
    `total`.

    Parameters
    ----------
    indices : array_like of int32 or int64, shape (n,)
        Rows of the parameter, in any order. A row may occur more than once.
    values : array_like
        The rows of the gradient, with shape ``(n, *param.shape[1:])`` and the dtype that a dense gradient would have.

    Raises
    ------
    TypeError
        If the indices are not integers, the values are Python objects, or an array has a mask. The step checks
        everything else against the parameter.
    ValueError
        If a list has rows of different lengths.

    References
    ----------
    For `TorchAdagrad`, the sparse path of ``torch/optim/adagrad.py`` in torch 2.13.0. It differs from the dense rule:
    ``s = s + g * g`` and the divisor of the rate are rounded twice, and ``p = fma(-rate, g / (sqrt(s) + eps), p)``,
    or without the fma for a gradient of a single element of a vector.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad import RowSparse, TorchAdagrad
    >>> table = np.zeros((4, 2), np.float32)
    >>> opt = TorchAdagrad([table], lr=0.5)
    >>> opt.step([RowSparse([2, 0, 2], np.array([[1, 2], [3, 0], [1, 2]], np.float32))])
    >>> table
    array([[-0.5,  0. ],
           [ 0. ,  0. ],
           [-0.5, -0.5],
           [ 0. ,  0. ]], dtype=float32)
    """

    __slots__ = ("indices", "values")
    __array_ufunc__ = None  # so that NumPy's numbers and arrays leave operators to this class

    def __init__(self, indices: npt.ArrayLike, values: npt.ArrayLike) -> None:
        self.indices = as_indices(indices)
        self.values = read_array(values, "values")
        if self.values.dtype == object:
            raise TypeError("values: expected numbers, got Python objects")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return super().__reduce_ex__(max(protocol, 2))  # Python's pickling by older protocols knows no slots

    def __repr__(self) -> str:
        return f"RowSparse({self.indices!r}, {self.values!r})"

    def __add__(self, other: RowSparse) -> RowSparse:
        """Add another gradient of the same parameter: its entries follow those here."""
        if isinstance(other, np.ndarray):  # or NumPy raises errors about ufuncs and concatenation
            raise TypeError("+: expected two RowSparse, got an array; add it to `.toarray(shape)`")
        if not isinstance(other, RowSparse):
            return NotImplemented
        if self.values.dtype != other.values.dtype:
            raise TypeError(f"values: expected dtype {self.values.dtype}, got {other.values.dtype}")
        if self.values.shape[1:] != other.values.shape[1:]:
            expected, got = self.values.shape[1:], other.values.shape[1:]
            raise ValueError(f"values: expected rows of shape {expected}, got {got}")
        for grad in (self, other):
            grad._check_rows(grad.values.shape[1:])
        indices = np.concatenate([self.indices, other.indices])
        return RowSparse(indices, np.concatenate([self.values, other.values]))

    def __radd__(self, other: int) -> RowSparse:
        """Add to 0, with which `sum` begins."""
        return self if type(other) is int and other == 0 else self.__add__(other)  # type: ignore[operator]

    def __mul__(self, factor: Number) -> RowSparse:
        """Multiply all values by a number or an array of one element, which is rounded to their dtype first."""
        if self.values.dtype.kind not in "fcV":  # V: bfloat16
            raise TypeError(f"values: expected floating-point numbers, got {self.values.dtype}")
        scale = number(factor, "factor")
        with ieee():
            return RowSparse(self.indices, np.multiply(self.values, rounded(scale, self.values.dtype)))

    __rmul__ = __mul__

    def _check_rows(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless there is one row of this shape for each index."""
        if self.indices.ndim != 1:
            raise ValueError(f"indices: expected one dimension, got shape {self.indices.shape}")
        check_shape("values", (len(self.indices), *shape), self.values.shape)

    def toarray(self, shape: int | tuple[int, ...]) -> Array:
        """Return the gradient as a dense array of the shape of its parameter: the sums of the rows, and zeros.

        Parameters
        ----------
        shape : tuple of int, or int
            The shape of the parameter.

        Returns
        -------
        array
            In the dtype of the values.

        Raises
        ------
        IndexError
            For an index that is not in ``[0, shape[0])``.
        TypeError
            If `shape` is neither a tuple of dimensions nor a number.
        ValueError
            If no array can have this shape, or if there is not one row of shape ``shape[1:]`` for each index.

        Examples
        --------
        >>> import numpy as np
        >>> from numpy_adagrad import RowSparse
        >>> (RowSparse([2, 0], np.ones(2)) + 0.5 * RowSparse([2], np.ones(1))).toarray((4,))
        array([1. , 0. , 1.5, 0. ])
        """
        try:
            dense = np.zeros(shape, self.values.dtype)
        except TypeError:
            raise TypeError(f"shape: expected a tuple of dimensions, got {shape!r}") from None
        except ValueError:
            raise ValueError(f"shape: expected dimensions that an array can have, got {shape!r}") from None
        if dense.ndim == 0:
            raise ValueError("shape: expected at least one dimension, got ()")
        self._check_rows(dense.shape[1:])
        check_indices(self.indices, len(dense), "indices")
        with ieee():
            np.add.at(dense, self.indices, self.values)
        return dense

    @classmethod
    def from_scipy(cls, matrix: Any) -> RowSparse:
        """Convert a SciPy sparse array or matrix to whole rows: all rows that have a stored entry.

        As a gradient, the SciPy array itself would update only its stored entries. Duplicate entries are summed.

        Parameters
        ----------
        matrix : SciPy sparse array or matrix
            Of one or two dimensions, in csr, csc or coo format.

        Returns
        -------
        RowSparse
            With ascending indices and newly allocated values.

        Raises
        ------
        TypeError
            If `matrix` is not a SciPy sparse array, or has another format or non-integer indices.
        ValueError
            If it has more dimensions, 2**63 elements or more, or index arrays that do not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.sparse import csr_array
        >>> from numpy_adagrad import RowSparse
        >>> RowSparse.from_scipy(csr_array(np.array([[0.0, 0.0], [0.0, 7.0]])))
        RowSparse(array([1]), array([[0., 7.]]))
        """
        if not is_scipy(matrix):
            raise TypeError(f"matrix: expected a sparse array of SciPy, got {type(matrix).__name__}")
        if len(matrix.shape) > 2:
            raise ValueError(f"matrix: expected one or two dimensions, got shape {matrix.shape}")
        if math.prod(matrix.shape) >= 2**63:
            raise ValueError(f"matrix: expected fewer than 2**63 elements, got shape {matrix.shape}")
        indices, values = scipy_elements(matrix, matrix.shape, "matrix")
        check_mapped("matrix", {"data": values})
        columns = matrix.shape[1] if len(matrix.shape) == 2 else 1
        rows, places = np.unique(indices // max(columns, 1), return_inverse=True)
        dense = np.zeros((len(rows), columns), values.dtype)
        with ieee():
            np.add.at(dense, (places, indices % max(columns, 1)), values)
        return cls(rows, dense.reshape(len(rows), *matrix.shape[1:]))

    @classmethod
    def from_torch(cls, tensor: Any) -> RowSparse:
        """Convert a sparse COO tensor of torch with one sparse dimension. The values share its memory.

        Parameters
        ----------
        tensor : torch.Tensor
            A sparse COO tensor on the CPU, coalesced or not.

        Returns
        -------
        RowSparse

        Raises
        ------
        TypeError
            If the tensor has another layout.
        ValueError
            If it has several sparse dimensions.

        Examples
        --------
        >>> import torch
        >>> from numpy_adagrad import RowSparse
        >>> rows = [[1.0, 2.0], [3.0, 4.0]]
        >>> RowSparse.from_torch(torch.sparse_coo_tensor([[3, 1]], rows, (5, 2), check_invariants=False))
        RowSparse(array([3, 1]), array([[1., 2.],
               [3., 4.]], dtype=float32))
        """
        return cls(*tensor_rows(tensor, "tensor"))
