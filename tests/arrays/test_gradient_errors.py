"""Every error of a gradient's array, with its whole message. A step that raises one changes nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.two_groups import SHAPES, gradients, start
from helpers.values import bfloat16, misaligned, zeros
from numpy_adagrad.inputs.types import Array

LONG = np.dtype(np.longdouble).name
SWAPPED = np.dtype(np.float32).newbyteorder("S")
NO_ARRAY = "expected a NumPy array, got "
CAST = "; cast it with .astype(np.float32)"

# Each makes something wrong of a right gradient of float32.
GRADIENTS = {
    "list": (lambda g: [1.0, 2.0, 3.0], TypeError, NO_ARRAY + "list"),
    "number": (lambda g: 1.0, TypeError, NO_ARRAY + "float"),
    "tensor": (lambda g: torch.zeros(7), ValueError, "expected shape {0}, got (7,)"),
    "tensor_of_float64": (
        lambda g: torch.zeros(3, dtype=torch.float64),
        TypeError,
        "expected float32, got float64; cast it with np.asarray(grad, np.float32)",
    ),
    "tensor_elsewhere": (
        lambda g: torch.zeros(3, device="meta"),
        TypeError,
        "expected an array that NumPy can read, got Tensor: it lies on the device meta",
    ),
    "set": (lambda g: {1.0}, TypeError, NO_ARRAY + "set"),
    "masked": (np.ma.array, TypeError, "expected an array without a mask, got MaskedArray; fill it with .filled(0)"),
    "object": (lambda g: g.astype(object), TypeError, "expected float32, got object" + CAST),
    "int": (lambda g: g.astype(np.int64), TypeError, "expected float32, got int64" + CAST),
    "float64": (lambda g: g.astype(np.float64), TypeError, "expected float32, got float64" + CAST),
    "longdouble": (lambda g: g.astype(np.longdouble), TypeError, f"expected float32, got {LONG}" + CAST),
    "complex": (
        lambda g: g.astype(np.complex64),
        TypeError,
        "expected float32, got complex64, whose imaginary part has no parameter; take its real part",
    ),
    "structured": (lambda g: g.astype([("x", "f4")]), TypeError, "expected float32, got void32" + CAST),
    "void_scalar": (lambda g: np.void(b"abcd"), TypeError, "expected float32, got void32" + CAST),
    "shape": (lambda g: g[..., np.newaxis], ValueError, "expected shape {0}, got {1}"),
    "empty": (lambda g: zeros(0), ValueError, "expected shape {0}, got (0,)"),
    "swapped": (
        lambda g: g.astype(SWAPPED),
        ValueError,
        f"expected native byte order, got {SWAPPED.str}; convert it with .astype(np.float32)",
    ),
    "misaligned": (misaligned, ValueError, "expected an array aligned to its elements, got a misaligned one"),
}


@pytest.mark.parametrize("position", range(len(SHAPES)))
@pytest.mark.parametrize(("spoil", "error", "message"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradient(
    dialect: Dialect, position: int, spoil: Callable[[Array], Any], error: type[Exception], message: str
) -> None:
    """Wherever it stands, and however the step is called."""
    optimizer, _ = start(dialect)
    (name, shape), grads = list(SHAPES.items())[position], gradients()
    grads[position] = spoil(grads[position])
    message = f"grads[{position}] ('{name}'): " + message.format(shape, (*shape, 1))
    for call in (
        partial(optimizer.step, grads),
        partial(optimizer.step, dict(zip(SHAPES, grads, strict=True))),
        partial(optimizer.step, grads, max_norm=1.0, grad_scale=2.0),
        partial(optimizer.step, grads, on_nonfinite="skip"),
        partial(optimizer.step, closure=lambda: (0.0, grads)),
    ):
        raises_unchanged(optimizer, error, message, call, grads=grads)


def test_scalar_for_an_array(dialect: Dialect) -> None:
    optimizer = dialect.optimizer({"w": zeros()})
    message = "grads[0] ('w'): expected shape (3,), got ()"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([np.float32(1)]))


# (parameter, gradient, the gradient's message) of other pairs.
PAIRS = {
    "float64": (np.float64, np.float32, "expected float64, got float32; cast it with .astype(np.float64)"),
    "float16": (np.float16, np.float32, "expected float16, got float32; cast it with .astype(np.float16)"),
    "bfloat16": (bfloat16, np.float16, "expected bfloat16, got float16; cast it with .astype(ml_dtypes.bfloat16)"),
    "not_bfloat16": (np.float16, bfloat16, "expected float16, got bfloat16; cast it with .astype(np.float16)"),
    "complex64": (np.complex64, np.float32, "expected complex64, got float32; cast it with .astype(np.complex64)"),
    "complex128": (
        np.complex128,
        np.complex64,
        "expected complex128, got complex64; cast it with .astype(np.complex128)",
    ),
}


@pytest.mark.parametrize(("param", "grad", "message"), PAIRS.values(), ids=PAIRS)
def test_pair_of_dtypes(dialect: Dialect, param: npt.DTypeLike, grad: npt.DTypeLike, message: str) -> None:
    w = zeros(3, param)
    if w.dtype.kind == "c" and not dialect.takes_complex:
        real = "params[0] ('w'): expected a real array, got a complex one"
        raises(TypeError, real, lambda: dialect.optimizer({"w": w}))
        return
    optimizer = dialect.optimizer({"w": w})
    message = f"grads[0] ('w'): {message}"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([zeros(3, grad)]))
