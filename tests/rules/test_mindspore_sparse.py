"""Sparse gradients of MindSporeAdagrad: the bits of the dense rule on the rows that have a gradient."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import raises_unchanged
from helpers.sparse_batches import (
    HALVES,
    KINDS,
    SHAPES,
    check_configuration,
    check_half_gradients,
    check_large_batches,
    draw_scaling,
)
from helpers.sparse_oracle import mindspore_rows, scaled_totals, total_rows
from helpers.values import draw, normal, real_type
from numpy_adagrad import MindSporeAdagrad, RowSparse
from numpy_adagrad.inputs.types import Array
from scipy.sparse import csr_array

START = 0.1
DEFAULTS: dict[str, Any] = {"rate": 0.037}


def draw_options(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "rate": 0.037,
        "weight_decay": float(rng.choice([0, 0.013])),
        "loss_scale": float(rng.choice([1, 3.7])),
        "update_slots": bool(rng.integers(2)),
        "centralize": bool(rng.integers(2)),
    }


def make(param: Array, options: dict[str, Any], state_dtype: npt.DTypeLike | None = None) -> MindSporeAdagrad:
    options = dict(options)
    group = {"params": [param], "grad_centralization": options.pop("centralize", False)}
    return MindSporeAdagrad([group], START, options.pop("rate"), state_dtype=state_dtype, **options)


class Oracle:
    """Copies of a parameter and its accumulator, updated by the oracle."""

    def __init__(self, param: Array, options: dict[str, Any], state_dtype: npt.DTypeLike | None = None) -> None:
        self.param, self.options = param.copy(), options
        self.accum = np.full(param.shape, START, state_dtype or param.dtype)

    def step(self, indices: Array, values: Array, **scaling: Any) -> None:
        rows, totals = total_rows(indices, values)
        g = scaled_totals(totals, real_type, **scaling, loss_scale=self.options.get("loss_scale", 1.0))
        mindspore_rows(self.param, self.accum, rows, g, **self.options)


@pytest.mark.parametrize("dtype", ["float32", "float64", *HALVES], ids=str)
@pytest.mark.parametrize("seed", range(130))
def test_the_oracle(dtype: npt.DTypeLike, seed: int) -> None:
    """520 configurations."""
    rng = np.random.default_rng(seed)
    shape, kind = SHAPES[seed % len(SHAPES)], KINDS[seed % len(KINDS)]
    options, scaling = draw_options(rng), draw_scaling(rng, kind)
    param = draw(rng, shape, dtype, kind)
    oracle, optimizer = Oracle(param, options), make(param, options)
    check_configuration(rng, optimizer, oracle, kind, seed, scaling)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_large_batches_on_any_number_of_threads(threads: int) -> None:
    param = np.random.default_rng(6).standard_normal((5000, 64), np.float32)
    check_large_batches(make(param, DEFAULTS), Oracle(param, DEFAULTS), threads)


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_half_gradients_and_float32_accumulators(half: npt.DTypeLike) -> None:
    for dtype, state_dtype in (("float32", None), (half, np.float32)):
        param = normal(40, 3, dtype=dtype)
        optimizer, oracle = make(param, DEFAULTS, state_dtype), Oracle(param, DEFAULTS, state_dtype)
        check_half_gradients(optimizer, oracle, half)


def test_all_rows_are_the_dense_rule() -> None:
    rng = np.random.default_rng(4)
    tables, others = ([np.zeros((6, 4)), np.zeros(3)] for _ in range(2))
    tables[0][...] = others[0][...] = rng.standard_normal((6, 4))
    optimizer, other = MindSporeAdagrad(tables), MindSporeAdagrad(others)
    for k in range(6):
        values, bias = rng.standard_normal((6, 4)), np.full(3, float(k))
        optimizer.step([RowSparse(np.arange(6), values) if k % 2 else values, bias], max_norm=1e9)
        other.step([values, bias])
        for table, expected in zip(tables, others, strict=True):
            assert_same_bits(table, expected)


def test_rows_decay_once_however_often_they_occur() -> None:
    """w = 2 - 1 * (2 * 0.5) / sqrt(0 + 1 + 1e-8), and the 1e-8 is lost in single precision."""
    w = np.full((3, 1), 2, np.float32)
    optimizer = MindSporeAdagrad([w], 0.0, 1.0, weight_decay=0.5)
    optimizer.step([RowSparse([1, 1], np.zeros((2, 1), np.float32))])
    assert w.tolist() == [[2], [1], [2]]
    assert optimizer.state[0]["accum"].tolist() == [[0], [1], [0]]


def test_single_elements_have_no_mean() -> None:
    """Each was its own mean, so that the step did nothing."""
    grad = csr_array(normal(4, 16))
    w = np.ones((4, 16), np.float32)
    optimizer = make(w, DEFAULTS | {"centralize": True})
    message = "grads[0] ('param0'): expected whole rows, as their means are taken; convert it with "
    message += "RowSparse.from_scipy"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([grad]))
    optimizer.step([RowSparse.from_scipy(grad)])
    expected = np.ones((4, 16), np.float32)
    make(expected, DEFAULTS | {"centralize": True}).step([grad.toarray()])
    assert_same_bits(w, expected)
    make(np.ones((4, 15), np.float32), DEFAULTS | {"centralize": True}).step([csr_array(normal(4, 15))])
