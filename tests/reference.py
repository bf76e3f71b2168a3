"""The oracle: both update rules in plain NumPy, stated a second time on purpose (the first is cpp/rules.hpp).

Arrays are moved in place. Gradients are arrays of the parameter's shape or what `scaled_gradients` returns.
"""

import numpy as np
from bits import reals
from fma import fma
from values import real_type

SUM_BLOCK = 4096
SUM_LANES = 16


def computing_type(dtype):
    """Half types are computed in float32, complex ones as their parts."""
    part = real_type(dtype)
    return part if part.itemsize == 8 else np.dtype(np.float32)


def widened(array, dtype):
    """The reals of an array in the type that its parameter, of the given dtype, is computed in."""
    return reals(array).astype(computing_type(dtype))


def rounded(x, dtype):
    """Values of a computing type rounded to a dtype, still in the computing type."""
    return x.astype(real_type(dtype)).astype(x.dtype)


def store(array, x):
    array[...] = x.astype(real_type(array.dtype)).view(array.dtype).reshape(array.shape)


def fixed_sum(x):
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
def gradient_norm(gradients, loss_scale=1.0):
    total = 0.0
    for g in gradients:
        if g is not None:
            total = total + fixed_sum(np.square(g.astype(np.float64)))
    return np.sqrt(np.float64(total)) / np.float64(loss_scale)


@np.errstate(all="ignore")
def scaled_gradients(params, grads, kept_in, *, grad_scale=None, max_norm=None, loss_scale=1.0):
    """The gradients after scaling and clipping, each operation rounded to `kept_in(dtype)`.

    That is `computing_type` for the torch rule and `real_type` for MindSpore's.
    """
    scaled = [None if g is None else widened(g, p.dtype) for p, g in zip(params, grads, strict=True)]
    kept = [kept_in(p.dtype) for p in params]
    if grad_scale is not None:
        scaled = _each(np.divide, scaled, np.float32(grad_scale), kept)
    if max_norm is not None:
        factor = max_norm / (gradient_norm(scaled, loss_scale) + 1e-6)
        if not factor >= 1:
            scaled = _each(np.multiply, scaled, factor, kept)
    return scaled


def _each(operation, gradients, factor, kept):
    return [
        None if u is None else rounded(operation(u, rounded(u.dtype.type(factor), dtype)), dtype)
        for u, dtype in zip(gradients, kept, strict=True)
    ]


def torch_rate(lr, lr_decay, step):
    """torch's effective rate at a step counted from 1."""
    before = np.float64(step) - 1
    return np.float64(lr) / fma(before, np.float64(lr_decay), np.float64(1))[()]


@np.errstate(all="ignore")
def torch_update(param, accum, step, grad, *, lr=1e-2, lr_decay=0, weight_decay=0, eps=1e-10, maximize=False):
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


def rate_among_schedules(rate):
    """What MindSpore makes of a fixed rate when another group's rate is a schedule."""
    return np.float32(rate) + np.float32(1) - np.float32(1)


@np.errstate(all="ignore")
def mindspore_update(
    param, accum, grad, *, rate, weight_decay=0.0, loss_scale=1.0, update_slots=True, centralize=False
):
    """mindspore.nn.Adagrad. `weight_decay` is 0 where the parameter is exempt."""
    p, s, g = (widened(array, param.dtype) for array in (param, accum, grad))
    scalar = p.dtype.type

    def low(x):
        return rounded(x, param.dtype)

    if weight_decay * loss_scale > 0:
        g = low(low(p * low(scalar(np.float32(weight_decay * loss_scale)))) + g)
    if centralize and param.size and param.ndim >= 2 and param.shape[1] % 16 == 0:
        rows = g.reshape(param.shape[0], -1)
        g = low(rows - low(_means(rows))[:, np.newaxis]).reshape(-1)
    g = low(g * low(scalar(np.float32(1 / loss_scale))))

    moved = s + g * g
    if update_slots:
        s = moved
    p = p - scalar(np.float32(rate)) * g * (scalar(1) / np.sqrt(s + scalar(1e-8)))
    store(accum, s)
    store(param, p)


def _means(rows):
    return np.array([fixed_sum(row) / row.size for row in rows]).astype(rows.dtype)
