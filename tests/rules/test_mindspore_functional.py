"""functional.apply_adagrad beside mindspore.ops.ApplyAdagrad, bit for bit."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.mindspore_arrays import apply_adagrad as mindspore_apply
from helpers.mindspore_arrays import draw_normal
from helpers.oracle import mindspore_update
from helpers.values import KINDS, bfloat16, draw
from mindspore import Parameter, Tensor, ops
from numpy_adagrad import MindSporeAdagrad, RowSparse
from numpy_adagrad.functional import apply_adagrad
from scipy.sparse import csr_array


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.3, np.float32(0.037), np.array([0.123])], ids=repr)
def test_apply_adagrad(rate: Any, dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(2)
    for shape in [(), (1,), (33,), (4, 5)]:
        var, grad = (draw_normal(rng, shape, dtype, kind) for _ in range(2))
        accum = np.array(abs(draw_normal(rng, shape, dtype, kind)))
        for step in range(3):
            expected = mindspore_apply(var, accum, float(np.asarray(rate).item()), grad)
            apply_adagrad(var, accum, rate, grad)
            assert_same_bits(var, expected[0], f"var, step {step}")
            assert_same_bits(accum, expected[1], f"accum, step {step}")


def test_a_python_float_as_rate_is_that_of_the_operator_in_float32() -> None:
    var, accum, grad = np.ones(3, np.float32), np.ones(3, np.float32), np.array([0.3, -2, 7], np.float32)
    theirs = [Parameter(Tensor(array.copy()), name=name) for name, array in (("var", var), ("accum", accum))]
    ops.ApplyAdagrad()(*theirs, 0.3, Tensor(grad))
    apply_adagrad(var, accum, 0.3, grad)
    for ours, expected in zip((var, accum), theirs, strict=True):
        assert_same_bits(ours, expected.asnumpy())


@pytest.mark.parametrize("dtype", ["float16", bfloat16], ids=str)
def test_half_types_are_those_of_the_optimizer(dtype: npt.DTypeLike) -> None:
    rng = np.random.default_rng(3)
    var, grad = (draw(rng, (33,), dtype, "normal") for _ in range(2))
    param, accum = var.copy(), np.full(33, 0.1, dtype)
    optimizer = MindSporeAdagrad([param], learning_rate=0.3)
    for _ in range(3):
        apply_adagrad(var, accum, 0.3, grad)
        optimizer.step([grad])
        assert_same_bits(var, param)
        assert_same_bits(accum, optimizer.state[0]["accum"])


def test_sparse_gradients_are_those_of_the_optimizer() -> None:
    rng = np.random.default_rng(5)
    var, values = (draw(rng, (4, 5), "float32", "normal") for _ in range(2))
    param, accum = var.copy(), np.full((4, 5), 0.1, np.float32)
    optimizer = MindSporeAdagrad([param], learning_rate=0.3)
    for grad in (RowSparse([3, 1, 3], values[:3]), csr_array(values * (values > 0)), RowSparse([], values[:0])):
        apply_adagrad(var, accum, 0.3, grad)
        optimizer.step([grad])
        assert_same_bits(var, param)
        assert_same_bits(accum, optimizer.state[0]["accum"])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", bfloat16], ids=str)
def test_a_frozen_accumulator(dtype: npt.DTypeLike) -> None:
    rng = np.random.default_rng(4)
    var, grad = (draw(rng, (33,), dtype, "normal") for _ in range(2))
    accum, expected = np.full(33, 0.1, dtype), var.copy()
    apply_adagrad(var, accum, 0.3, grad, update_slots=False)
    mindspore_update(expected, accum, grad, rate=0.3, update_slots=False)
    assert_same_bits(var, expected)
    assert_same_bits(accum, np.full(33, 0.1, dtype))
