"""Unusual arrays are accepted as they are, and give the numbers of ordinary ones."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.check_step import check_step
from helpers.dialects import Dialect
from helpers.values import misaligned, normal
from numpy.lib.stride_tricks import as_strided
from numpy_adagrad.inputs.types import Array


def like(params: Sequence[Array], seed: int = 2) -> list[Array]:
    return [normal(*p.shape, dtype=p.dtype, seed=seed + i) for i, p in enumerate(params)]


def tiles() -> list[Array]:
    a = normal(1000)
    return [a[:1], a[1:300], a[300:300], a[300:999], a[999:]]


def interleaved() -> list[Array]:
    a = normal(9, 30)
    return [a[:, ::3], a[:, 1::3], a[::2, 2::3], a[1::2, 2::3]]


def crossed_halves() -> list[Array]:
    a = normal(8, 8)
    return [a[:4, :4], a[4:, 4:].T, a[:4, 4:][::-1], a[4:, :4][:, ::-1]]


PARAMETERS: dict[str, Callable[[], list[Array]]] = {
    "tiles": tiles,
    "interleaved": interleaved,
    "crossed_halves": crossed_halves,
    "transposes": lambda: [normal(5, 7).T, normal(2, 3, 4).transpose(2, 0, 1), normal(6, 6).T[::2]],
    "negative_strides": lambda: [normal(9)[::-1], normal(4, 5)[::-1, ::-2], normal(9)[::-4]],
    "fortran": lambda: [np.asfortranarray(normal(5, 7)), np.asfortranarray(normal(3, 4, 5))],
    "zero_dimensions": lambda: [normal(), normal(3)[1:2].reshape(())],
    "one_element": lambda: [normal(1), normal(1, 1, 1), normal(9, 9)[3:4, 2:3], as_strided(normal(1), (1, 1), (0, 0))],
    "empty_first": lambda: [normal(0), normal(3), normal(2)],
    "empty_middle": lambda: [normal(3), normal(3, 0, 2), normal(2)],
    "empty_last": lambda: [normal(3), normal(2), normal(4, 0)],
    "all_empty": lambda: [normal(0), normal(0, 16)],
    "empty_views": lambda: (lambda a: [a[1:1], a, a[3:3], a[:0][::-1]])(normal(5)),
    "empty_misaligned": lambda: [misaligned(normal(1))[:0], normal(3)],
    "matrix": lambda: [normal(3, 4).view(np.matrix), normal(3, 4).view(np.matrix).T],
    "subclass": lambda: [normal(3, 4).view(type("Own", (np.ndarray,), {})), normal(3).view(np.recarray)],
    "mixed_dtypes": lambda: [normal(5, dtype=d) for d in ("f4", "f8", "f2", ml_dtypes.bfloat16)],
    "32_dimensions": lambda: [normal(*[1] * 30, 2, 3), normal(*[2, 1] * 5)],
}


@pytest.mark.parametrize("make", PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(dialect: Dialect, make: Callable[[], list[Array]]) -> None:
    params = make()
    addresses = [p.__array_interface__["data"][0] for p in params]
    check_step(dialect, params, like(params))
    assert [p.__array_interface__["data"][0] for p in params] == addresses
    params = make()
    check_step(dialect, params, like(params), scaling={"max_norm": 0.5, "grad_scale": 3.7})


def test_elements_between_the_parameters_are_left_alone(dialect: Dialect) -> None:
    buffer = normal(9, 30)
    before = buffer.copy()
    params = [buffer[1:-1:2, 3:20:4], buffer[::-8, 4::5]]
    check_step(dialect, params, like(params))
    inside = np.zeros(buffer.shape, bool)
    inside[1:-1:2, 3:20:4] = inside[::-8, 4::5] = True
    assert_same_bits(buffer[~inside], before[~inside], "elements of no parameter")
    assert (buffer[inside] != before[inside]).all()


# Gradients of one parameter of shape (4, 6).
GRADIENTS: dict[str, Callable[[], Array | None]] = {
    "broadcast": lambda: np.broadcast_to(normal(1)[0], (4, 6)),
    "broadcast_row": lambda: np.broadcast_to(normal(6), (4, 6)),
    "broadcast_column": lambda: np.broadcast_to(normal(4, 1), (4, 6)),
    "windows": lambda: np.lib.stride_tricks.sliding_window_view(normal(9), 6),
    "transpose": lambda: normal(6, 4).T,
    "fortran": lambda: np.asfortranarray(normal(4, 6)),
    "reversed": lambda: normal(4, 6)[::-1, ::-1],
    "every_other": lambda: normal(8, 18)[::2, ::3],
    "real_part": lambda: normal(4, 6, dtype=np.complex64).real,
    "matrix": lambda: normal(4, 6).view(np.matrix),
    "narrow": lambda: normal(6, 4, dtype=np.float16).T,
    "narrow_bfloat16": lambda: np.broadcast_to(normal(6, dtype=ml_dtypes.bfloat16), (4, 6)),
    "none": lambda: None,
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("make", GRADIENTS.values(), ids=GRADIENTS)
def test_gradients(dialect: Dialect, order: Literal["C", "F"], make: Callable[[], Array | None]) -> None:
    params = [np.array(normal(4, 6), order=order), normal(4, 6)[:, ::-1]]
    grad = make()
    check_step(dialect, params, [grad, normal(4, 6)])
    check_step(dialect, params, [grad, grad], scaling={"max_norm": 0.5})


def test_read_only_gradient(dialect: Dialect) -> None:
    grad = normal(5)
    grad.flags.writeable = False
    check_step(dialect, [normal(5)], [grad])


def test_gradients_that_overlap_each_other(dialect: Dialect) -> None:
    buffer = normal(9)
    check_step(dialect, [normal(5), normal(5), normal(5)], [buffer[:5], buffer[2:7], buffer[6:1:-1]])


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ml_dtypes.bfloat16])
def test_scalar_gradient_of_a_0d_parameter(dialect: Dialect, dtype: npt.DTypeLike) -> None:
    params = [normal(dtype=dtype), normal(dtype=dtype)]
    grads = [g[()] for g in like(params)]
    assert isinstance(grads[0], np.generic)
    check_step(dialect, params, grads)
    check_step(dialect, params, grads, scaling={"max_norm": 0.5})


def test_views_of_complex_arrays(dialect: Dialect) -> None:
    """Any rule takes their parts as real parameters."""
    c = normal(7, dtype=np.complex64)
    check_step(dialect, [c.real, c.imag[::-1]], like([c.real, c.imag]))
    if dialect.takes_complex:
        a = normal(6, 8, dtype=np.complex128)
        params = [a[:, ::2], a[::-1, 1::4], a[:, 3::4].T]
        check_step(dialect, params, like(params), weight_decay=0.1)


class Quantity(np.ndarray[Any, Any]):
    """An array with a unit, which raises an error for arithmetic with another unit, like astropy's."""

    unit: str

    def __new__(cls, values: Array, unit: str) -> "Quantity":
        made = values.view(cls)
        made.unit = unit
        return made

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        units = {item.unit for item in inputs if isinstance(item, Quantity)}
        if len(units) > 1:
            raise TypeError(f"different units: {units}")
        return getattr(ufunc, method)(*(np.asarray(item) for item in inputs), **options)


def test_units_are_ignored(dialect: Dialect) -> None:
    """As docs/guide/parameters-and-gradients.md says: the numbers are updated as those of plain arrays."""
    values, grad = normal(5), normal(5)
    expected = values.copy()
    dialect.make([expected]).step([grad])
    length, mass = Quantity(values, "m"), Quantity(grad, "kg")
    with pytest.raises(TypeError, match="different units"):
        length - mass
    dialect.make([length]).step([mass])
    assert_same_bits(values, expected)
    assert (length.unit, mass.unit) == ("m", "kg")


def test_a_subclass_where_nothing_is_a_masked_array(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    """`numpy.ma` is imported only when it is used, and may have been changed."""
    w = normal(3, 4).view(np.matrix)
    monkeypatch.setattr(np.ma, "MaskedArray", None)
    check_step(dialect, [w], like([w]))
    monkeypatch.setitem(sys.modules, "numpy.ma", None)  # it cannot be imported
    check_step(dialect, [w], like([w]))
    monkeypatch.delitem(sys.modules, "numpy.ma")
    check_step(dialect, [w], like([w]))


def test_memmap(dialect: Dialect, tmp_path: Path) -> None:
    path = tmp_path / "w"
    w = np.memmap(path, np.float32, "w+", shape=(50, 3))
    w[:] = normal(50, 3)
    check_step(dialect, [w], like([w]))
    w.flush()
    assert_same_bits(np.fromfile(path, np.float32).reshape(50, 3), np.array(w), "the file")
