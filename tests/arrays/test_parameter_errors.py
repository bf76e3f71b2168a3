"""Every error of a parameter's array, with its whole message."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.two_groups import start
from helpers.values import bfloat16, misaligned, read_only, zeros
from numpy.lib.stride_tricks import as_strided
from numpy_adagrad.inputs.types import Array

NO_FLOATS = "{dialect.no_floats}"
LONG, LONG_COMPLEX = np.dtype(np.longdouble).name, np.dtype(np.clongdouble).name
SWAPPED = np.dtype(np.float32).newbyteorder("S").str
NATIVE = f"expected native byte order, got {SWAPPED}; convert it with .astype(np.float32)"
MASKED = "expected an array without a mask, got MaskedArray; fill it with .filled(0)"
OWN_ELEMENTS = "expected its own memory for each element, got strides "
READ_ONLY = "expected a writeable array, got a read-only one; copy it with .copy()"
DROPIN = "numpy_adagrad.torch.Adagrad takes tensors of torch, with torch's rule"
MISALIGNED = "expected an array aligned to its elements, got a misaligned one"

# How to make the parameter, the exception, the message.
PARAMETERS = {
    "list": (lambda: [1.0, 2.0], TypeError, "expected a NumPy array, got list"),
    "number": (lambda: 1.0, TypeError, "expected a NumPy array, got float"),
    "scalar": (lambda: np.float32(1), TypeError, "expected a NumPy array, got numpy.float32"),
    "none": (lambda: None, TypeError, "expected a NumPy array, got NoneType"),
    "tensor": (lambda: torch.zeros(3), TypeError, f"expected a NumPy array, got Tensor; {DROPIN}"),
    "masked": (lambda: np.ma.zeros(3), TypeError, MASKED),
    "object": (lambda: zeros(dtype=object), TypeError, NO_FLOATS + "object"),
    "int": (lambda: zeros(dtype=np.int64), TypeError, NO_FLOATS + "int64"),
    "bool": (lambda: zeros(dtype=bool), TypeError, NO_FLOATS + "bool"),
    "longdouble": (lambda: zeros(dtype=np.longdouble), TypeError, NO_FLOATS + LONG),
    "clongdouble": (lambda: zeros(dtype=np.clongdouble), TypeError, NO_FLOATS + LONG_COMPLEX),
    "float8": (lambda: zeros(dtype=ml_dtypes.float8_e4m3), TypeError, NO_FLOATS + "float8_e4m3"),
    "structured": (lambda: zeros(dtype=[("x", "f4")]), TypeError, NO_FLOATS + "void32"),
    "record": (lambda: zeros(dtype=[("x", "f4")]).view(np.recarray), TypeError, NO_FLOATS + "record32"),
    "text": (lambda: zeros(dtype="U3"), TypeError, NO_FLOATS + "str96"),
    "swapped": (lambda: zeros(dtype=SWAPPED), ValueError, NATIVE),
    "swapped_empty": (lambda: zeros(0, SWAPPED), ValueError, NATIVE),
    "misaligned": (lambda: misaligned(zeros()), ValueError, MISALIGNED),
    "read_only": (lambda: read_only(zeros()), ValueError, READ_ONLY),
    "broadcast": (lambda: np.broadcast_to(zeros(1), 3), ValueError, READ_ONLY),
    "zero_stride": (lambda: as_strided(zeros(1), (3,), (0,)), ValueError, OWN_ELEMENTS + "(0,)"),
    "zero_among_odd": (lambda: as_strided(zeros(9), (3, 2, 2), (8, 12, 0)), ValueError, OWN_ELEMENTS + "(8, 12, 0)"),
    "window": (lambda: as_strided(zeros(9), (3, 2), (4, 8)), ValueError, OWN_ELEMENTS + "(4, 8)"),
    # Axes that step over each other without meeting: the offsets are 0 8 12 16 20 28. Only nested strides are checked.
    "odd_strides": (lambda: as_strided(zeros(8), (3, 2), (8, 12)), ValueError, OWN_ELEMENTS + "(8, 12)"),
    "negative": (lambda: as_strided(zeros(9)[::-1], (3, 2), (-4, -8)), ValueError, OWN_ELEMENTS + "(-4, -8)"),
}


@pytest.mark.parametrize(("make", "error", "message"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameter(dialect: Dialect, make: Callable[[], Any], error: type[Exception], message: str) -> None:
    """In the constructor, and in a group added later, which changes nothing then."""
    message = message.format(dialect=dialect)
    raises(error, f"params[1] ('f'): {message}", lambda: dialect.optimizer({"w": zeros(), "f": make()}))
    optimizer, _ = start(dialect)
    group = {"params": {"f": make()}}
    raises_unchanged(optimizer, error, f"params[5] ('f'): {message}", lambda: optimizer.add_param_group(group))


def test_parameter_without_a_name(dialect: Dialect) -> None:
    message = f"{dialect.label('params', 1)}: expected a NumPy array, got int"
    raises(TypeError, message, lambda: dialect.optimizer([zeros(), 1]))


def test_complex_parameter(dialect: Dialect) -> None:
    """Rules that take them want both parts apart from the others; the other rules want real ones."""
    if dialect.takes_complex:
        array = as_strided(zeros(9, np.complex64), (3,), (4,))
        message = f"params[1] ('b'): {OWN_ELEMENTS}(4,)"
        raises(ValueError, message, lambda: dialect.optimizer({"w": zeros(), "b": array}))
    else:
        message = "params[1] ('b'): expected a real array, got a complex one"
        raises(TypeError, message, lambda: dialect.optimizer({"w": zeros(), "b": zeros(3, np.complex64)}))


class Dataset:
    """Like a dataset of h5py or zarr: each row that it returns is a copy."""

    def __init__(self, rows: int) -> None:
        self.stored: Array = np.ones((rows, 3))

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, index: int) -> Array:
        return np.array(self.stored[index])

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))


class Views(dict[str, Array]):
    """New views of the same memory at each look-up."""

    def __getitem__(self, name: str) -> Array:
        return super().__getitem__(name)[:]

    def values(self) -> Any:
        return [self[name] for name in self]


def test_containers_that_make_new_arrays(dialect: Dialect, tmp_path: Path) -> None:
    """Nobody would see their updates."""
    path = tmp_path / "w.npz"
    np.savez(path, w=zeros())
    message = "params: expected the same arrays at each look-up, but the {} made a new array 0; "
    message += "read it once into a list or a dict"
    with np.load(path) as loaded:
        optimizer = dialect.optimizer([{"params": dict(loaded)}])
        for params, kind in ((loaded, "NpzFile"), (Dataset(2), "Dataset")):
            group: dict[str, Any] = {"params": params}
            raises(TypeError, message.format(kind), lambda: dialect.optimizer(params))  # noqa: B023
            raises(TypeError, message.format(kind), lambda: dialect.optimizer([group]))  # noqa: B023
            raises_unchanged(
                optimizer,
                TypeError,
                message.format(kind),
                lambda: optimizer.add_param_group(group),  # noqa: B023
            )


def test_containers_that_make_new_views(dialect: Dialect) -> None:
    """The memory is the user's, so the updates are seen."""
    w = zeros()
    for params in (Views(w=w), {"w": w}.values(), (w[:] for _ in range(1))):
        before = w.copy()
        dialect.make(params).step([np.ones_like(w)])
        assert (w < before).all()


STATE_DTYPES = {
    "float32": (np.float32, np.float64, "expected float32 for a float32 parameter, got float64"),
    "float16": (np.float16, np.float64, "expected float16 or float32 for a float16 parameter, got float64"),
    "bfloat16": (bfloat16, np.float16, "expected bfloat16 or float32 for a bfloat16 parameter, got float16"),
    "float64": (np.float64, np.float32, "expected float64 for a float64 parameter, got float32"),
}


@pytest.mark.parametrize(("param", "state", "message"), STATE_DTYPES.values(), ids=STATE_DTYPES)
def test_state_dtype(dialect: Dialect, param: npt.DTypeLike, state: npt.DTypeLike, message: str) -> None:
    raises(TypeError, f"state_dtype: {message}", lambda: dialect.optimizer([zeros(3, param)], state_dtype=state))


@pytest.mark.parametrize("state", [None, np.float16, "f4"])
def test_state_dtype_of_half_parameters(dialect: Dialect, state: npt.DTypeLike | None) -> None:
    optimizer = dialect.optimizer([zeros(3, np.float16)], state_dtype=state)
    assert dialect.accumulator(optimizer, 0).dtype == np.dtype(state or np.float16)


def test_result_of_allocate(dialect: Dialect) -> None:
    """An accumulator is checked as a parameter is."""
    w = zeros(3, np.float64)
    result = "allocate(params[0])"
    for made, error, message in (
        (zeros(2, np.float64), ValueError, f"{result}: expected shape (3,), got (2,)"),
        (w, ValueError, f"{result}: expected its own memory, got the same array as params[0]"),
        (zeros(3, np.float32), TypeError, f"{result}: expected the dtype float64 of its parameter, got float32"),
        (read_only(zeros(3, np.float64)), ValueError, f"{result}: {READ_ONLY}"),
        ([1.0] * 3, TypeError, f"{result}: expected a NumPy array, got list"),
        (None, TypeError, f"{result}: expected a NumPy array, got NoneType"),
    ):
        raises(error, message, lambda: dialect.optimizer([w], allocate=lambda *_: made))  # noqa: B023
    other = zeros(3, np.float64)
    label, got = dialect.label(dialect.optimizer._accumulator, 0), dialect.label("params", 1)
    message = f"{label}: expected its own memory, got the same array as {got}"
    sums = {id(w): other, id(other): zeros(3, np.float64)}
    raises(ValueError, message, lambda: dialect.optimizer([w, other], allocate=lambda p, *_: sums[id(p)]))


def test_result_of_allocate_for_a_later_group(dialect: Dialect) -> None:
    made = {3: zeros(3), 2: zeros(3)}
    optimizer = dialect.optimizer([{"params": [zeros(3)]}], allocate=lambda p, *_: made[p.size])
    message = "allocate(params[1]): expected shape (2,), got (3,)"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.add_param_group({"params": [zeros(2)]}))


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6)])
def test_windows_raise_before_accumulators_are_made(dialect: Dialect, shape: tuple[int, ...]) -> None:
    """These would take terabytes."""
    strides = (4,) * len(shape) if len(shape) > 1 else (0,)
    window = as_strided(zeros(2 * 10**6), shape, strides)
    message = f"params[1] ('f'): {OWN_ELEMENTS}{strides}"
    raises(ValueError, message, lambda: dialect.optimizer({"w": zeros(), "f": window}))
    optimizer, _ = start(dialect)
    group = {"params": {"g": zeros(), "f": window}}
    message = f"params[6] ('f'): {OWN_ELEMENTS}{strides}"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.add_param_group(group))
