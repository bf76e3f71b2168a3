"""Arithmetic of RowSparse, and the index arrays of SciPy in all their forms."""

import pickle
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.errors import raises
from helpers.values import bfloat16, normal
from numpy_adagrad import RowSparse
from scipy import sparse

DTYPES = ["float16", bfloat16, "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_is_a_batch_of_both(dialect: Dialect, dtype: Any) -> None:
    first = RowSparse(np.array([3, 0, 3], np.int32), normal(3, 2).astype(dtype))
    second = RowSparse([1, 3], normal(2, 2, seed=1).astype(dtype))
    total = sum([first, second])
    assert isinstance(total, RowSparse)
    assert (total.indices.tolist(), total.values.dtype) == ([3, 0, 3, 1, 3], np.dtype(dtype))
    tables = [normal(5, 2).astype(dtype) for _ in range(2)]
    dialect.optimizer([tables[0]]).step([total])
    joined = RowSparse(total.indices, np.concatenate([first.values, second.values]))
    dialect.optimizer([tables[1]]).step([joined])
    assert_same_bits(tables[0], tables[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", [2, 0.1, np.float64(0.3), np.float32(0.3), np.array(0.3)])
def test_product(dtype: Any, factor: Any) -> None:
    values = normal(3, 2).astype(dtype)
    for product in (RowSparse([1, 0, 1], values) * factor, factor * RowSparse([1, 0, 1], values)):
        assert isinstance(product, RowSparse)
        assert product.indices.tolist() == [1, 0, 1]
        assert_same_bits(product.values, values * np.array(factor, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_array(dtype: Any) -> None:
    grad = RowSparse([3, 0, 3], np.array([[1, 2], [3, 4], [5, 6]], dtype))
    expected = np.array([[3, 4], [0, 0], [0, 0], [6, 8]], dtype)
    assert_same_bits(grad.toarray((4, 2)), expected)
    assert_same_bits(RowSparse([], np.ones((0, 2), dtype)).toarray((4, 2)), np.zeros((4, 2), dtype))
    assert_same_bits(RowSparse([1], np.ones(1, dtype)).toarray((2,)), np.array([0, 1], dtype))


class Named(RowSparse):
    """A user's own class, with an attribute more."""

    name = ""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol: int) -> None:
    grad = Named(np.array([3, 0], np.int32), normal(2, 2))
    grad.name = "words"
    loaded = pickle.loads(pickle.dumps(grad, protocol))
    assert (type(loaded), loaded.name) == (Named, "words")
    assert_same_bits(loaded.indices, grad.indices)
    assert_same_bits(loaded.values, grad.values)


def test_errors() -> None:
    grad = RowSparse([1, 2], np.ones((2, 3)))
    for other, error, message in (
        (RowSparse([0], np.ones((1, 3), np.float32)), TypeError, "values: expected dtype float64, got float32"),
        (RowSparse([0], np.ones((1, 2))), ValueError, "values: expected rows of shape (3,), got (2,)"),
    ):
        raises(error, message, lambda: grad + other)  # noqa: B023
    message = "+: expected two RowSparse, got an array; add it to `.toarray(shape)`"
    raises(TypeError, message, lambda: grad + np.ones((3, 3)))  # type: ignore[operator]
    raises(TypeError, message, lambda: np.ones((3, 3)) + grad)  # type: ignore[operator]
    with pytest.raises(TypeError, match="unsupported operand"):
        1 + grad
    number, whole = "factor: expected a number", RowSparse([0], [[1, 2]])
    raises(TypeError, f"{number} or a 1-element array, got list", lambda: grad * [1.0])  # type: ignore[operator]
    raises(TypeError, f"{number}, got an array of shape (3,) and dtype float64", lambda: np.ones(3) * grad)
    raises(TypeError, f"{number}, got an array of shape () and dtype complex128", lambda: np.complex128(1j) * grad)
    raises(TypeError, "values: expected floating-point numbers, got int64", lambda: whole * 0.5)
    raises(IndexError, "indices: expected indices in [0, 2), got 2 at position 1", lambda: grad.toarray((2, 3)))
    raises(ValueError, "values: expected shape (2, 4), got (2, 3)", lambda: grad.toarray((5, 4)))
    negative = RowSparse([-1], np.ones((1, 3)))
    raises(IndexError, "indices: expected indices in [0, 2), got -1 at position 0", lambda: negative.toarray((2, 3)))


def test_rows_and_indices_that_do_not_fit() -> None:
    """They could join into a valid gradient of other rows."""
    few, many = RowSparse([0, 1], [[10.0]]), RowSparse([2], [[20.0], [30.0]])
    for wrong, message in (
        (few, "values: expected shape (2, 1), got (1, 1)"),
        (many, "values: expected shape (1, 1), got (2, 1)"),
        (RowSparse([[0, 1]], [[1.0]]), "indices: expected one dimension, got shape (1, 2)"),
        (RowSparse(np.array(0), [[1.0]]), "indices: expected one dimension, got shape ()"),
    ):
        right = RowSparse([0], [[1.0]])
        for action in (lambda: wrong + right, lambda: right + wrong, lambda: wrong.toarray((4, 1))):  # noqa: B023
            raises(ValueError, message, action)


def test_shapes_of_a_dense_array() -> None:
    grad = RowSparse([1], np.ones(1))
    assert_same_bits(grad.toarray(2), np.array([0.0, 1.0]))
    raises(ValueError, "shape: expected at least one dimension, got ()", lambda: grad.toarray(()))
    wrong: list[Any] = ["a", (2.0,)]
    for shape in wrong:
        raises(TypeError, f"shape: expected a tuple of dimensions, got {shape!r}", lambda: grad.toarray(shape))  # noqa: B023
    wrong = [(-1,), (10**12, 10**12), (1,) * 99]
    for shape in wrong:
        message = f"shape: expected dimensions that an array can have, got {shape!r}"
        raises(ValueError, message, lambda: grad.toarray(shape))  # noqa: B023


def test_rows_of_different_lengths() -> None:
    ragged: Any = [[1], [2, 3]]
    for name, parts in {"indices": (ragged, np.ones(2)), "values": ([0, 1], ragged)}.items():
        with pytest.raises(ValueError, match=f"^{name}: expected an array, got a list that cannot become one: "):
            RowSparse(*parts)


def test_masks() -> None:
    """They were dropped; a dense gradient with a mask raises too."""
    for name, parts in (
        ("indices", (np.ma.array([0], mask=[True]), np.ones((1, 2)))),
        ("values", ([0], np.ma.array(np.ones((1, 2)), mask=[[True, False]]))),
    ):
        message = f"{name}: expected an array without a mask, got MaskedArray; fill it with .filled(0)"
        raises(TypeError, message, lambda: RowSparse(*parts))  # noqa: B023


def test_one_dimension_from_scipy() -> None:
    stored = sparse.coo_array((np.array([1.0, 2, 4]), ([3, 0, 3],)), shape=(5,))
    for matrix in (stored.copy(), sparse.csr_array(stored.copy())):
        rows = RowSparse.from_scipy(matrix)
        assert rows.indices.tolist() == [0, 3]
        assert_same_bits(rows.values, np.array([2.0, 5.0]))


@pytest.mark.parametrize("shape", [(6, 4), (3, 9), (1, 5), (5, 1), (0, 3)])
@pytest.mark.parametrize("kind", ["int32", "int64", "int16", "uint8", "uint32", "uint64", "strided"])
def test_index_arrays(dialect: Dialect, shape: tuple[int, int], kind: str) -> None:
    """Each format gives the update of the stored elements; unusual index arrays take another way through the code."""
    rng = np.random.default_rng(1)
    dense = (rng.random(shape) < 0.4) * rng.standard_normal(shape)
    start = rng.standard_normal(shape)
    results = []
    for form in ("coo", "csr", "csc"):
        matrix = sparse.coo_array(dense).asformat(form)
        names = ("indptr", "indices") if form != "coo" else ()
        for name in names:
            setattr(matrix, name, as_kind(getattr(matrix, name), kind))
        if form == "coo":
            matrix.coords = tuple(as_kind(places, kind) for places in matrix.coords)
        table = start.copy()
        dialect.optimizer([table]).step([matrix])
        results.append(table)
        assert ((table != start) == (dense != 0)).all()
    for result in results[1:]:
        assert_same_bits(result, results[0])


def as_kind(places: Any, kind: str) -> Any:
    return np.repeat(places, 2)[::2] if kind == "strided" else places.astype(kind)


def test_many_elements(dialect: Dialect) -> None:
    """More than a step takes without releasing the GIL."""
    rng = np.random.default_rng(1)
    dense = rng.standard_normal((300, 200))
    tables = [np.zeros((300, 200)) for _ in range(3)]
    for table, form in zip(tables, ("csr", "csc", "coo"), strict=True):
        dialect.optimizer([table]).step([sparse.coo_array(dense).asformat(form)])
    for table in tables[1:]:
        assert_same_bits(table, tables[0])
    assert ((tables[0] < 0) == (dense > 0)).all()


def test_index_arrays_of_another_length(dialect: Dialect) -> None:
    table = normal(4, 3).astype(np.float64)
    optimizer = dialect.optimizer({"t": table})
    matrix = sparse.csr_array(np.ones((4, 3)))
    matrix.data = matrix.data[:-1]
    with pytest.raises(ValueError, match=r"\.indices: expected shape \(11,\), got \(12,\)"):
        optimizer.step([matrix])


def test_an_empty_array_of_indices() -> None:
    """NumPy makes an empty list an array of float64."""
    assert RowSparse(np.array([]), np.ones((0, 2))).indices.dtype == np.int64
