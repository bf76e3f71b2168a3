"""Every error of a sparse gradient, with its whole message. A step that raises one changes nothing."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from numpy_adagrad import RowSparse
from scipy import sparse

ONES = np.ones((2, 3), np.float32)
CAST = "; cast them with .astype(np.int64)"
NUMBERS = "; give the numbers of the rows, as np.flatnonzero does"


def coo(rows: list[int], columns: list[int]) -> sparse.coo_array:
    """With coordinates set by hand, which SciPy does not check."""
    matrix = sparse.coo_array((4, 3), dtype=np.float32)
    matrix.coords, matrix.data = (np.array(rows), np.array(columns)), np.ones(2, np.float32)
    return matrix


def compressed(format: str, **parts: list[int]) -> Any:
    """Two stored entries, with index arrays set by hand."""
    matrix = sparse.coo_array((np.ones(2, np.float32), ([0, 2], [1, 2])), (4, 3)).asformat(format)
    for name, values in parts.items():
        setattr(matrix, name, np.array(values, np.int32))
    return matrix


def set_to(format: str, name: str, values: Any) -> Any:
    """Two stored entries, of which one part is set by hand."""
    matrix = compressed(format)
    setattr(matrix, name, values)
    return matrix


def with_indices(dtype: str) -> RowSparse:
    """With indices set later, which the constructor does not see."""
    grad = RowSparse([0, 1], ONES)
    grad.indices = np.array([0, 1], dtype)
    return grad


# The gradient of a table of shape (4, 3), the exception, the message after the gradient's label.
CSR = sparse.csr_array(np.ones((4, 3), np.float32))
FORMAT, TO_CSR = "expected the format csr, csc or coo, got", "; convert it with .tocsr()"
GRADIENTS = {
    "index too high": (RowSparse([0, 4], ONES), IndexError, ".indices: expected rows in [0, 4), got 4 at position 1"),
    "index negative": (RowSparse([-1, 9], ONES), IndexError, ".indices: expected rows in [0, 4), got -1 at position 0"),
    "index far": (
        RowSparse(np.array([1, -(2**63)]), ONES),
        IndexError,
        f".indices: expected rows in [0, 4), got {-(2**63)} at position 1",
    ),
    "indices of two dimensions": (
        RowSparse(np.zeros((2, 1), int), ONES),
        ValueError,
        ".indices: expected one dimension, got shape (2, 1)",
    ),
    **{
        f"indices of {dtype}": (with_indices(dtype), TypeError, f".indices: expected int32 or int64, got {dtype}{cure}")
        for dtype, cure in (("int16", CAST), ("uint32", CAST), ("uint64", CAST), ("float64", ""), ("bool", NUMBERS))
    },
    "byte order": (
        RowSparse([0, 1], ONES.astype(">f4")),
        ValueError,
        ".values: expected native byte order, got >f4; convert it with .astype(np.float32)",
    ),
    "values too few": (RowSparse([0], ONES), ValueError, ".values: expected shape (1, 3), got (2, 3)"),
    "values too wide": (
        RowSparse([0, 1], np.ones((2, 4), np.float32)),
        ValueError,
        ".values: expected shape (2, 3), got (2, 4)",
    ),
    "values of one dimension": (
        RowSparse([0, 1], np.ones(2, np.float32)),
        ValueError,
        ".values: expected shape (2, 3), got (2,)",
    ),
    "dtype": (
        RowSparse([0, 1], np.ones((2, 3))),
        TypeError,
        ".values: expected float32, got float64; cast it with .astype(np.float32)",
    ),
    "integers": (
        RowSparse([0, 1], np.ones((2, 3), int)),
        TypeError,
        ".values: expected float32, got int64; cast it with .astype(np.float32)",
    ),
    "matrix shape": (CSR.T.tocsr(), ValueError, ": expected shape (4, 3), got (3, 4)"),
    "matrix format": (CSR.tolil(), TypeError, f": {FORMAT} lil{TO_CSR}"),
    "no array of values": (CSR.todok(), TypeError, f": {FORMAT} dok{TO_CSR}"),
    "column too high": (coo([0, 1], [0, 3]), IndexError, ".coords[1]: expected indices in [0, 3), got 3 at position 1"),
    "column negative": (
        coo([1, 1], [-1, 0]),
        IndexError,
        ".coords[1]: expected indices in [0, 3), got -1 at position 0",
    ),
    "row too high": (coo([0, 4], [0, 0]), IndexError, ".coords[0]: expected indices in [0, 4), got 4 at position 1"),
    "row negative": (coo([-1, 4], [5, 0]), IndexError, ".coords[0]: expected indices in [0, 4), got -1 at position 0"),
    "coordinates too few": (coo([0], [0, 1]), ValueError, ".coords[0]: expected shape (2,), got (1,)"),
    "csr column": (
        compressed("csr", indices=[0, 3]),
        IndexError,
        ".indices: expected indices in [0, 3), got 3 at position 1",
    ),
    "csc row": (
        compressed("csc", indices=[0, -2]),
        IndexError,
        ".indices: expected indices in [0, 4), got -2 at position 1",
    ),
    "indptr too long": (
        compressed("csr", indptr=[0, 1, 1, 2, 2, 2]),
        ValueError,
        ".indptr: expected shape (5,), got (6,)",
    ),
    "indptr too high": (
        compressed("csr", indptr=[0, 1, 1, 2, 9]),
        ValueError,
        ".indptr: expected values from 0 to 2, got 0 to 9",
    ),
    "indptr too low": (
        compressed("csc", indptr=[0, 0, 1, 1]),
        ValueError,
        ".indptr: expected values from 0 to 2, got 0 to 1",
    ),
    "indptr descending": (
        compressed("csr", indptr=[0, 2, 1, 2, 2]),
        ValueError,
        ".indptr: expected ascending values, got a descent",
    ),
    "indices too few": (compressed("csr", indices=[0]), ValueError, ".indices: expected shape (2,), got (1,)"),
    **{
        f"{form} {name} of {dtype}": (
            set_to(form, name, np.array(values, dtype)),
            TypeError,
            f".{name}: expected integers, got {dtype}",
        )
        for form, name, values in (("csr", "indices", [1, 2]), ("csc", "indptr", [0, 0, 1, 2]))
        for dtype in ("float64", "bool", "object")
    },
    "coordinates of float32": (
        set_to("coo", "coords", (np.zeros(2, np.int32), np.zeros(2, np.float32))),
        TypeError,
        ".coords[1]: expected integers, got float32",
    ),
    "masked coordinates": (
        set_to("coo", "coords", (np.ma.array([0, 1], np.int32, mask=[False, True]), np.zeros(2, np.int32))),
        TypeError,
        ".coords[0]: expected an array without a mask, got MaskedArray; fill it with .filled(0)",
    ),
    **{
        f"masked {name} of {form}": (
            set_to(form, name, np.ma.array(values, np.int32, mask=np.arange(len(values)) == 1)),
            TypeError,
            f".{name}: expected an array without a mask, got MaskedArray; fill it with .filled(0)",
        )
        for form, name, values in (("csr", "indices", [1, 2]), ("csc", "indptr", [0, 0, 1, 2]))
    },
    "coordinates of one axis": (
        set_to("coo", "coords", (np.zeros(2, np.int32),)),
        ValueError,
        ".coords: expected 2 arrays, got 1",
    ),
    "coordinate beyond int64": (
        set_to("coo", "coords", (np.array([0, 2**64 - 1], np.uint64), np.zeros(2, np.int32))),
        IndexError,
        f".coords[0]: expected indices in [0, 4), got {2**64 - 1} at position 1",
    ),
    "values of no dimension": (
        set_to("csr", "data", np.array(1, np.float32)),
        ValueError,
        ".data: expected one dimension, got shape ()",
    ),
    "values of two dimensions": (
        set_to("coo", "data", np.ones((2, 1), np.float32)),
        ValueError,
        ".data: expected one dimension, got shape (2, 1)",
    ),
    "one dimension": (sparse.coo_array(np.ones(3, np.float32)), ValueError, ": expected shape (4, 3), got (3,)"),
    "matrix dtype": (
        CSR.astype(np.float64),
        TypeError,
        ".data: expected float32, got float64; cast it with .astype(np.float32)",
    ),
}


@pytest.mark.parametrize(("grad", "error", "message"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradient(dialect: Dialect, grad: Any, error: type[Exception], message: str) -> None:
    tables = [np.ones((4, 3), np.float32) for _ in range(2)]
    optimizer, grads = dialect.optimizer(tables), [RowSparse([0, 1], ONES), grad]
    message = dialect.label("grads", 1) + message
    raises_unchanged(optimizer, error, message, lambda: optimizer.step(grads))
    optimizer.step([RowSparse([0, 1], ONES), ONES.repeat(2, 0)])


@pytest.mark.parametrize("got", [(2, 4, 4), (2, 3, 3), (3, 3, 4), (2, 3), (2, 3, 4, 1)])
def test_values_of_a_table_with_three_axes(dialect: Dialect, got: tuple[int, ...]) -> None:
    optimizer, grad = dialect.optimizer([np.ones((5, 3, 4))]), RowSparse([0, 1], np.ones(got))
    message = f"{dialect.label('grads', 0)}.values: expected shape (2, 3, 4), got {got}"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([grad]))


class Larger(np.ndarray[Any, Any]):
    """Says another shape than it has, once told so."""


def test_elements_of_a_table_that_says_a_wrong_shape(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.ones((4, 3), np.float32)
    optimizer = dialect.optimizer([table.view(Larger)])
    monkeypatch.setattr(Larger, "shape", (5, 3), raising=False)
    grad = sparse.coo_array((np.ones(2, np.float32), ([0, 4], [1, 2])), (5, 3))
    message = f"{dialect.label('grads', 0)}.indices: expected elements in [0, 12), got 14 at position 1"
    raises(IndexError, message, lambda: optimizer.step([grad]))
    assert (table == 1).all()


PARAMETERS = {
    "no rows": (np.float64, (), ValueError, "expected an array, as the parameter has no rows"),
    "complex": (np.complex128, (3,), TypeError, "expected a dense array, as the parameter is complex"),
}


@pytest.mark.parametrize(("dtype", "shape", "error", "message"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameter(
    dialect: Dialect, dtype: type[np.generic], shape: tuple[int, ...], error: type[Exception], message: str
) -> None:
    param = np.zeros(shape, dtype)
    if param.dtype.kind == "c" and not dialect.takes_complex:
        message = f"{dialect.label('params', 0)}: expected a real array, got a complex one"
        raises(TypeError, message, lambda: dialect.optimizer([param]))
        return
    optimizer, grad = dialect.optimizer([param]), RowSparse([0], np.zeros(1, dtype))
    raises_unchanged(optimizer, error, f"{dialect.label('grads', 0)}: {message}", lambda: optimizer.step([grad]))


INDICES = {
    "floats": ([0.5], "float64"),
    "nan": ([np.nan], "float64"),
    "whole floats": (np.array([1.0]), "float64"),
    "unsigned": (np.array([1], np.uint64), "uint64" + CAST),
    "short": (np.array([1], np.int8), "int8" + CAST),
    "flags": ([True], "bool" + NUMBERS),
    "text": (["a"], "<U1"),
}


@pytest.mark.parametrize(("indices", "got"), INDICES.values(), ids=INDICES)
def test_indices_that_are_no_integers(indices: Any, got: str) -> None:
    raises(TypeError, f"indices: expected int32 or int64, got {got}", lambda: RowSparse(indices, ONES[:1]))


def test_indices_and_values_that_overlap_the_table(dialect: Dialect) -> None:
    memory = np.zeros(40, np.float32)
    optimizer = dialect.optimizer([memory[:12].reshape(4, 3)])
    grads, table = dialect.label("grads", 0), dialect.label("params", 0)
    for grad, part in (
        (RowSparse([0, 1], memory[:6].reshape(2, 3)), "values"),
        (RowSparse(memory[10:12].view(np.int32), ONES), "indices"),
    ):
        message = f"{grads}.{part}: expected its own memory, got an overlap with {table}"
        raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([grad]))  # noqa: B023


DIMENSIONS = "expected one or two dimensions"


def test_from_scipy() -> None:
    entries = sparse.coo_array((np.array([1.0, 2, 4, 8]), ([3, 0, 3, 3], [1, 2, 1, 0])), (5, 3))
    for wrong, error, message in (
        (np.ones((2, 2)), TypeError, "matrix: expected a sparse array of SciPy, got ndarray"),
        (entries.tolil(), TypeError, f"matrix: {FORMAT} lil{TO_CSR}"),
        (entries.todok(), TypeError, f"matrix: {FORMAT} dok{TO_CSR}"),
        (
            sparse.coo_array(np.ones((2, 1, 3))),
            ValueError,
            "matrix: expected one or two dimensions, got shape (2, 1, 3)",
        ),
        (
            sparse.coo_array((np.ones(1), ([2**61 + 1], [3])), (2**62, 8)),
            ValueError,
            f"matrix: expected fewer than 2**63 elements, got shape ({2**62}, 8)",
        ),
    ):
        raises(error, message, lambda: RowSparse.from_scipy(wrong))  # noqa: B023


def test_from_torch() -> None:
    for wrong, error, message in (
        (torch.ones(2), TypeError, "tensor: expected a sparse COO tensor of torch, got torch.strided"),
        (np.ones(2), TypeError, "tensor: expected a sparse COO tensor of torch, got ndarray"),
        (torch.ones(2, 2).to_sparse(), ValueError, "tensor: expected one sparse dimension, as of to_sparse(1), got 2"),
    ):
        raises(error, message, lambda: RowSparse.from_torch(wrong))  # noqa: B023
