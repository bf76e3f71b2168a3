"""The oracle: both update rules in plain NumPy, stated a second time on purpose (the first is in cpp/rules/).

Arrays are updated in place. Gradients are arrays of the parameter's shape, or flat as `scaled_gradients` returns them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from helpers.bits import reals
from helpers.fma import fma
from helpers.values import real_type
from numpy_adagrad.inputs.types import Array

DType: TypeAlias = np.dtype[Any]
Gradients: TypeAlias = Sequence[Array | None]
KeptIn: TypeAlias = Callable[[npt.DTypeLike], DType]
"""The type that a dtype's gradients are rounded to: `computing_type` or `real_type`."""

SUM_BLOCK = 4096
SUM_LANES = 16


def computing_type(dtype: npt.DTypeLike) -> DType:
    """Half types are computed in float32, complex ones as their parts."""
    part = real_type(dtype)
    return part if part.itemsize == 8 else np.dtype(np.float32)


def widened(array: Array, dtype: npt.DTypeLike) -> Array:
    """The reals of an array in the type that its parameter, of the given dtype, is computed in."""
    return reals(array).astype(computing_type(dtype))


def rounded(x: Any, dtype: npt.DTypeLike) -> Any:
    """Values of a computing type rounded to a dtype, still in the computing type."""
    return x.astype(real_type(dtype)).astype(x.dtype)


def store(array: Array, x: Array) -> None:
    array[...] = x.astype(real_type(array.dtype)).view(array.dtype).reshape(array.shape)


def fixed_sum(x: Array) -> float:
    """The sum in double, in the one order that every instruction set and any number of threads keeps to."""
    total = 0.0
    for start in range(0, x.size, SUM_BLOCK):
        block = x[start : start + SUM_BLOCK].astype(np.float64)
        lanes = np.zeros(SUM_LANES)
        for first in range(0, block.size, SUM_LANES):
            part = block[first : first + SUM_LANES]
            lanes[: part.size] += part
        block_sum = lanes[0]
        for lane in lanes[1:]:
            block_sum = block_sum + lane
        total = total + block_sum
    return total


@np.errstate(all="ignore")
def gradient_norm(gradients: Iterable[Array | None], loss_scale: float = 1.0) -> np.float64:
    total = 0.0
    for g in gradients:
        if g is not None:
            total = total + fixed_sum(np.square(g.astype(np.float64)))
    norm: np.float64 = np.sqrt(np.float64(total)) / np.float64(loss_scale)
    return norm


@np.errstate(all="ignore")
def scaled_gradients(
    params: Iterable[Array],
    grads: Iterable[Array | None],
    kept_in: KeptIn,
    *,
    grad_scale: float | None = None,
    max_norm: float | None = None,
    loss_scale: float = 1.0,
) -> Gradients:
    """The gradients after scaling and clipping, each operation rounded to `kept_in(dtype)`.

    That is `computing_type` for the torch rule and `real_type` for MindSpore's.
    """
    scaled: Gradients = [None if g is None else widened(g, p.dtype) for p, g in zip(params, grads, strict=True)]
    kept = [kept_in(p.dtype) for p in params]
    scaled = divided(scaled, grad_scale, kept)
    if max_norm is not None:
        scaled = clipped(scaled, max_norm, gradient_norm(scaled, loss_scale), kept)
    return scaled


def divided(gradients: Gradients, grad_scale: float | None, kept: Sequence[DType]) -> Gradients:
    if grad_scale is None:
        return gradients
    return [
        None if u is None else rounded(u / rounded_if_in_range(u.dtype.type(np.float32(grad_scale)), dtype), dtype)
        for u, dtype in zip(gradients, kept, strict=True)
    ]


def rounded_if_in_range(scale: Any, dtype: DType) -> Any:
    """A scale in the type of the parameter, if that is neither 0 nor infinity."""
    near = rounded(scale, dtype)
    return near if 0 < near < np.inf else scale


def clipped(gradients: Gradients, max_norm: float, norm: Any, kept: Sequence[DType]) -> Gradients:
    factor = max_norm / (norm + 1e-6)
    if factor >= 1:
        return gradients
    return [
        None if u is None else rounded(u * rounded(u.dtype.type(factor), dtype), dtype)
        for u, dtype in zip(gradients, kept, strict=True)
    ]


def torch_rate(lr: float, lr_decay: float, step: float | Array) -> np.float64:
    """torch's effective rate at a step counted from 1, for dense gradients."""
    before = np.float64(step) - 1
    return np.float64(lr) / float(fma(before, np.float64(lr_decay), np.float64(1)))


@np.errstate(all="ignore")
def torch_update(
    param: Array,
    accum: Array,
    step: Array,
    grad: Array,
    *,
    lr: float = 1e-2,
    lr_decay: float = 0,
    weight_decay: float = 0,
    eps: float = 1e-10,
    maximize: bool = False,
) -> None:
    """torch.optim.Adagrad(fused=True). `step` is a writable 0-d float32 array, which stops at 2^24."""
    step += np.float32(1)
    p, s, g = (widened(array, param.dtype) for array in (param, accum, grad))
    scalar = p.dtype.type
    if maximize:
        g = -g
    if weight_decay != 0:
        g = fma(p, scalar(weight_decay), g)
    s = fma(g, g, s)
    p = p - scalar(torch_rate(lr, lr_decay, step)) * g / (np.sqrt(s) + scalar(eps))
    store(accum, s)
    store(param, p)


@np.errstate(all="ignore")
def mindspore_update(
    param: Array,
    accum: Array,
    grad: Array,
    *,
    rate: float | np.floating[Any],
    weight_decay: float = 0.0,
    loss_scale: float = 1.0,
    update_slots: bool = True,
    centralize: bool = False,
) -> None:
    """mindspore.nn.Adagrad. `weight_decay` is 0 where the parameter is exempt."""
    p, s, g = (widened(array, param.dtype) for array in (param, accum, grad))
    scalar = p.dtype.type

    def low(x: Any) -> Any:
        return rounded(x, param.dtype)

    if weight_decay * loss_scale > 0:
        g = low(low(p * low(scalar(np.float32(weight_decay * loss_scale)))) + g)
    if centralize and param.size and param.ndim >= 2 and param.shape[1] % 16 == 0:
        rows = g.reshape(param.shape[0], -1)
        g = low(rows - low(_means(rows))[:, np.newaxis]).reshape(-1)
    g = low(g * low(scalar(np.float32(1 / loss_scale))))

    if update_slots:
        s = s + g * g
    p = p - scalar(np.float32(rate)) * g * (scalar(1) / np.sqrt(s + scalar(1e-8)))
    store(accum, s)
    store(param, p)


def _means(rows: Array) -> Array:
    return np.array([fixed_sum(row) / row.size for row in rows]).astype(rows.dtype)
