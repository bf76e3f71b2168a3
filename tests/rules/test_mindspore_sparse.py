"""Sparse gradients of MindSporeAdagrad: the dense rule on the rows that have a gradient."""

import numpy as np
from helpers.bits import assert_same_bits
from helpers.errors import raises_unchanged
from helpers.sparse_rules import RULES
from helpers.values import normal
from mindspore import Parameter, Tensor, ops
from numpy_adagrad import MindSporeAdagrad, RowSparse
from scipy.sparse import csr_array


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


def test_an_operator_of_mindspore_takes_a_step_for_each_occurrence() -> None:
    """With gradients of 1 it adds 1 to the accumulator, twice; the square of the sum is 4."""
    var, accum = (Parameter(Tensor(np.zeros((2, 1), np.float32)), name=name) for name in ("var", "accum"))
    indices, values = np.array([1, 1], np.int32), np.ones((2, 1), np.float32)
    ops.SparseApplyAdagradV2(lr=1.0, epsilon=1e-8)(var, accum, Tensor(values), Tensor(indices))
    assert accum.asnumpy().tolist() == [[0], [2]]
    optimizer = MindSporeAdagrad([np.zeros((2, 1), np.float32)], accum=0.0)
    optimizer.step([RowSparse(indices, values)])
    assert optimizer.state[0]["accum"].tolist() == [[0], [4]]


def test_single_elements_have_no_mean() -> None:
    """Each was its own mean, so that the step did nothing."""
    make, options = RULES["mindspore"].make, {"rate": 0.037, "centralize": True}
    grad = csr_array(normal(4, 16))
    w = np.ones((4, 16), np.float32)
    optimizer = make(w, options)
    message = "grads[0] ('param0'): expected whole rows, as their means are taken; convert it with "
    message += "RowSparse.from_scipy"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([grad]))
    optimizer.step([RowSparse.from_scipy(grad)])
    expected = np.ones((4, 16), np.float32)
    make(expected, options).step([grad.toarray()])
    assert_same_bits(w, expected)
    make(np.ones((4, 15), np.float32), options).step([csr_array(normal(4, 15))])
