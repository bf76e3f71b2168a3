"""The oracle of sparse gradients: equal rows are summed in the order given, then each row is updated once.

Stated a second time on purpose, like oracle.py, which has the rest of each rule.
"""

from typing import Any

import numpy as np
from helpers.fma import fma
from helpers.oracle import DType, computing_type, fixed_sum, mindspore_update, rounded, rounded_if_in_range, store
from numpy_adagrad.inputs.types import Array


@np.errstate(all="ignore")
def total_rows(indices: Array, values: Array) -> tuple[Array, Array]:
    """The rows that occur, in order, and the sums of their values; each addition is rounded to the values' dtype."""
    order = np.argsort(indices, kind="stable")
    rows, starts, counts = np.unique(indices[order], return_index=True, return_counts=True)
    totals = values[order[starts]].copy()
    for k in range(1, counts.max(initial=0)):
        more = counts > k
        totals[more] = totals[more] + values[order[starts[more] + k]]
    return rows, totals


@np.errstate(all="ignore")
def scaled_totals(
    totals: Array,
    kept: DType,
    *,
    grad_scale: float | None = None,
    max_norm: float | None = None,
    loss_scale: float = 1.0,
) -> Array:
    """The sums after scaling and clipping, for one parameter alone; each result is rounded to `kept`."""
    g = totals.astype(computing_type(totals.dtype))
    if grad_scale is not None:
        g = rounded(g / rounded_if_in_range(g.dtype.type(np.float32(grad_scale)), kept), kept)
    if max_norm is not None:
        factor = max_norm / (rows_norm(g, loss_scale) + 1e-6)
        if not factor >= 1:
            g = rounded(g * rounded(g.dtype.type(factor), kept), kept)
    return g


@np.errstate(all="ignore")
def rows_norm(g: Array, loss_scale: float = 1.0) -> np.float64:
    """Row by row, in ascending order."""
    total = np.float64(0)
    for row in g:
        total += fixed_sum(np.square(np.ravel(row).astype(np.float64)))
    norm: np.float64 = np.sqrt(total) / np.float64(loss_scale)
    return norm


@np.errstate(all="ignore")
def torch_rows(
    param: Array,
    accum: Array,
    step: Array,
    rows: Array,
    g: Array,
    *,
    single_element: bool = False,
    lr: float = 1e-2,
    lr_decay: float = 0,
    weight_decay: float = 0,
    eps: float = 1e-10,
) -> None:
    """torch.optim.Adagrad on the given rows of a sparse gradient, with weight decay as "touched" means it.

    To maximise, the values are negated before equal rows are summed.
    """
    step += np.float32(1)
    p, s = (array[rows].astype(computing_type(param.dtype)) for array in (param, accum))
    scalar = p.dtype.type
    if weight_decay != 0:
        g = fma(p, scalar(weight_decay), g)
    s = s + g * g
    quotient = g / (np.sqrt(s) + scalar(eps))
    rate = -scalar(np.float64(lr) / ((np.float64(step) - 1) * lr_decay + 1))
    p = p + rate * quotient if single_element else fma(rate, quotient, p)
    put(accum, rows, s)
    put(param, rows, p)


def mindspore_rows(param: Array, accum: Array, rows: Array, g: Array, **options: Any) -> None:
    """mindspore.nn.Adagrad's dense rule on the given rows."""
    some_params, some_accums = param[rows], accum[rows]
    mindspore_update(some_params, some_accums, g, **options)
    param[rows], accum[rows] = some_params, some_accums


def put(array: Array, rows: Array, x: Array) -> None:
    some = array[rows]
    store(some, x)
    array[rows] = some
