"""Every refusal of an array, with its whole message."""

from collections.abc import Callable
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.errors import RULES, Rule, refuses, zeros
from numpy.lib.stride_tricks import as_strided
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array

NO_FLOATS = "expected a real or complex floating-point array of at most 64 bits a part, got "
LONG, LONG_COMPLEX = np.dtype(np.longdouble).name, np.dtype(np.clongdouble).name
SWAPPED = np.dtype(np.float32).newbyteorder("S").str
OWN_ELEMENTS = "expected its own memory for each element, got strides "


def misaligned(dtype: npt.DTypeLike = np.float32, count: int = 3) -> Array:
    return np.zeros(count * np.dtype(dtype).itemsize + 1, np.uint8)[1:].view(dtype)


def read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


# What a parameter may not be: how to make it, the exception, the message.
PARAMETERS = {
    "list": (lambda: [1.0, 2.0], TypeError, "expected a NumPy array, got list"),
    "number": (lambda: 1.0, TypeError, "expected a NumPy array, got float"),
    "scalar": (lambda: np.float32(1), TypeError, "expected a NumPy array, got numpy.float32"),
    "none": (lambda: None, TypeError, "expected a NumPy array, got NoneType"),
    "tensor": (lambda: torch.zeros(3), TypeError, "expected a NumPy array, got Tensor"),
    "masked": (lambda: np.ma.zeros(3), TypeError, "expected an array without a mask, got MaskedArray"),
    "object": (lambda: zeros(dtype=object), TypeError, NO_FLOATS + "object"),
    "int": (lambda: zeros(dtype=np.int64), TypeError, NO_FLOATS + "int64"),
    "bool": (lambda: zeros(dtype=bool), TypeError, NO_FLOATS + "bool"),
    "longdouble": (lambda: zeros(dtype=np.longdouble), TypeError, NO_FLOATS + LONG),
    "clongdouble": (lambda: zeros(dtype=np.clongdouble), TypeError, NO_FLOATS + LONG_COMPLEX),
    "float8": (lambda: zeros(dtype=ml_dtypes.float8_e4m3), TypeError, NO_FLOATS + "float8_e4m3"),
    "structured": (lambda: zeros(dtype=[("x", "f4")]), TypeError, NO_FLOATS + "void32"),
    "record": (lambda: zeros(dtype=[("x", "f4")]).view(np.recarray), TypeError, NO_FLOATS + "record32"),
    "text": (lambda: zeros(dtype="U3"), TypeError, NO_FLOATS + "str96"),
    "swapped": (lambda: zeros(dtype=SWAPPED), ValueError, f"expected native byte order, got {SWAPPED}"),
    "swapped_empty": (lambda: zeros(0, SWAPPED), ValueError, f"expected native byte order, got {SWAPPED}"),
    "misaligned": (misaligned, ValueError, "expected an array aligned to its elements, got a misaligned one"),
    "read_only": (lambda: read_only(zeros()), ValueError, "expected a writeable array, got a read-only one"),
    "broadcast": (
        lambda: np.broadcast_to(zeros(1), 3),
        ValueError,
        "expected a writeable array, got a read-only one",
    ),
    "zero_stride": (lambda: as_strided(zeros(1), (3,), (0,)), ValueError, OWN_ELEMENTS + "(0,)"),
    "zero_among_odd": (lambda: as_strided(zeros(9), (3, 2, 2), (8, 12, 0)), ValueError, OWN_ELEMENTS + "(8, 12, 0)"),
    "window": (lambda: as_strided(zeros(9), (3, 2), (4, 8)), ValueError, OWN_ELEMENTS + "(4, 8)"),
    "negative": (lambda: as_strided(zeros(9)[::-1], (3, 2), (-4, -8)), ValueError, OWN_ELEMENTS + "(-4, -8)"),
}
COMPLEX_PARAMETERS = {
    "shared_parts": (
        TorchAdagrad,
        lambda: as_strided(zeros(9, np.complex64), (3,), (4,)),
        ValueError,
        OWN_ELEMENTS + "(4,)",
    ),
    "mindspore": (
        MindSporeAdagrad,
        lambda: zeros(3, np.complex64),
        TypeError,
        "expected a real array, got a complex one",
    ),
}

# What a gradient of a float32 parameter of shape (3,) may not be.
CAST = "; cast it with .astype(np.float32)"
GRADIENTS = {
    "list": (lambda: [1.0, 2.0, 3.0], TypeError, "expected a NumPy array, got list"),
    "number": (lambda: 1.0, TypeError, "expected a NumPy array, got float"),
    "tensor": (lambda: torch.zeros(3), TypeError, "expected a NumPy array, got Tensor"),
    "masked": (lambda: np.ma.zeros(3), TypeError, "expected an array without a mask, got MaskedArray"),
    "object": (lambda: zeros(dtype=object), TypeError, "expected float32, got object" + CAST),
    "int": (lambda: zeros(dtype=np.int64), TypeError, "expected float32, got int64" + CAST),
    "float64": (lambda: zeros(dtype=np.float64), TypeError, "expected float32, got float64" + CAST),
    "longdouble": (lambda: zeros(dtype=np.longdouble), TypeError, f"expected float32, got {LONG}" + CAST),
    "complex": (lambda: zeros(dtype=np.complex64), TypeError, "expected float32, got complex64" + CAST),
    "structured": (lambda: zeros(dtype=[("x", "f4")]), TypeError, "expected float32, got void32" + CAST),
    "void_scalar": (lambda: np.void(b"abcd"), TypeError, "expected float32, got void32" + CAST),
    "shape": (lambda: zeros((3, 1)), ValueError, "expected shape (3,), got (3, 1)"),
    "scalar_shape": (lambda: np.float32(1), ValueError, "expected shape (3,), got ()"),
    "empty": (lambda: zeros(0), ValueError, "expected shape (3,), got (0,)"),
    "swapped": (lambda: zeros(dtype=SWAPPED), ValueError, f"expected native byte order, got {SWAPPED}"),
    "misaligned": (misaligned, ValueError, "expected an array aligned to its elements, got a misaligned one"),
}

# (parameter, gradient, the gradient's message) of other pairs.
PAIRS = {
    "float64": (np.float64, np.float32, "expected float64, got float32; cast it with .astype(np.float64)"),
    "float16": (np.float16, np.float32, "expected float16, got float32; cast it with .astype(np.float16)"),
    "bfloat16": (
        ml_dtypes.bfloat16,
        np.float16,
        "expected bfloat16, got float16; cast it with .astype(ml_dtypes.bfloat16)",
    ),
    "not_bfloat16": (
        np.float16,
        ml_dtypes.bfloat16,
        "expected float16, got bfloat16; cast it with .astype(np.float16)",
    ),
    "complex64": (np.complex64, np.float32, "expected complex64, got float32; cast it with .astype(np.complex64)"),
    "complex128": (
        np.complex128,
        np.complex64,
        "expected complex128, got complex64; cast it with .astype(np.complex128)",
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("make", "error", "message"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameter(rule: Rule, make: Callable[[], Any], error: type[Exception], message: str) -> None:
    refuses(error, f"params[1] ('b'): {message}", lambda: rule({"w": zeros(), "b": make()}))
    opt = rule([{"params": {"w": zeros()}}])
    refuses(error, f"params[1] ('b'): {message}", lambda: opt.add_param_group({"params": {"b": make()}}))


@pytest.mark.parametrize(("rule", "make", "error", "message"), COMPLEX_PARAMETERS.values(), ids=COMPLEX_PARAMETERS)
def test_complex_parameter(rule: Rule, make: Callable[[], Any], error: type[Exception], message: str) -> None:
    refuses(error, f"params[1] ('b'): {message}", lambda: rule({"w": zeros(), "b": make()}))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("make", "error", "message"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradient(rule: Rule, make: Callable[[], Any], error: type[Exception], message: str) -> None:
    opt = rule({"w": zeros(), "b": zeros()})
    refuses(error, f"grads[1] ('b'): {message}", lambda: opt.step([zeros(), make()]))
    refuses(error, f"grads[1] ('b'): {message}", lambda: opt.step({"b": make(), "w": None}))


@pytest.mark.parametrize(("param", "grad", "message"), PAIRS.values(), ids=PAIRS)
def test_pair_of_dtypes(param: npt.DTypeLike, grad: npt.DTypeLike, message: str) -> None:
    for rule in RULES[: 1 if np.dtype(param).kind == "c" else 2]:
        opt = rule({"w": zeros(3, param)})
        refuses(TypeError, f"grads[0] ('w'): {message}", partial(opt.step, [zeros(3, grad)]))


STATE_DTYPES = {
    "float32": (np.float32, np.float64, "expected float32 for a float32 parameter, got float64"),
    "float16": (np.float16, np.float64, "expected float16 or float32 for a float16 parameter, got float64"),
    "bfloat16": (
        ml_dtypes.bfloat16,
        np.float16,
        "expected bfloat16 or float32 for a bfloat16 parameter, got float16",
    ),
    "float64": (np.float64, np.float32, "expected float64 for a float64 parameter, got float32"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("param", "state", "message"), STATE_DTYPES.values(), ids=STATE_DTYPES)
def test_state_dtype(rule: Rule, param: npt.DTypeLike, state: npt.DTypeLike, message: str) -> None:
    refuses(TypeError, f"state_dtype: {message}", lambda: rule([zeros(3, param)], state_dtype=state))


FORMS = {
    "too_few": (lambda o: o.step([zeros()]), ValueError, "expected 2 arrays, one for each parameter, got 1"),
    "too_many": (lambda o: o.step([None] * 3), ValueError, "expected 2 arrays, one for each parameter, got 3"),
    "bare": (
        lambda o: o.step(zeros()),
        TypeError,
        "expected a sequence with an array for each parameter, got one array",
    ),
    "missing": (
        lambda o: o.step({"b": zeros()}),
        KeyError,
        "expected one for each parameter (None for no gradient), got none for 'w'",
    ),
    "unknown": (
        lambda o: o.step({"b": zeros(), "w": zeros(), "v": zeros()}),
        KeyError,
        "expected the names of the parameters, got 'v'",
    ),
    "set": (lambda o: o.step({1.0}), TypeError, "expected arrays in the form of the parameters, got set"),
    "text": (lambda o: o.step("wb"), TypeError, "expected arrays in the form of the parameters, got str"),
    "number": (lambda o: o.step(1.0), TypeError, "expected arrays in the form of the parameters, got float"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("action", "error", "message"), FORMS.values(), ids=FORMS)
def test_form_of_gradients(rule: Rule, action: Callable[[Any], Any], error: type[Exception], message: str) -> None:
    opt = rule({"w": zeros(), "b": zeros()})
    refuses(error, f"grads: {message}", lambda: action(opt))


def test_mapping_for_nameless_parameters() -> None:
    opt = TorchAdagrad([zeros()])
    refuses(
        TypeError,
        "grads: expected a sequence, as the parameters have no names, got a mapping",
        lambda: opt.step({"w": zeros()}),
    )
    refuses(ValueError, "grads[0]: expected shape (3,), got (10, 1)", lambda: opt.step([zeros((10, 1))]))
