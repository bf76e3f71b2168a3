"""Sparse gradients of TorchAdagrad: the bits of torch, where it sums equal rows in a fixed order."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.errors import raises, raises_unchanged
from helpers.sparse_batches import KINDS, SHAPES, STEPS
from helpers.sparse_oracle import rows_norm, total_rows
from helpers.sparse_rules import draw_torch_options
from helpers.torch_arrays import to_numpy, to_torch
from helpers.values import draw
from numpy_adagrad import RowSparse, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from scipy import sparse


@pytest.fixture
def rounded_roots(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """torch takes MKL's square root, which is 1 ulp off in places, on AMD's processors in a fifth of them."""
    monkeypatch.setattr(torch.Tensor, "sqrt_", lambda x: x.copy_(torch.from_numpy(np.sqrt(x.numpy()))))
    with torch.sparse.check_sparse_tensor_invariants(False):  # or it warns
        yield


def coo(indices: Array, values: Array, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.sparse_coo_tensor(
        torch.from_numpy(np.atleast_2d(indices)), to_torch(values), shape, check_invariants=False
    )


def beside_torch(
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
    shape: tuple[int, ...],
    kind: str,
    options: dict[str, Any],
    start: float,
    indices_of: Callable[[np.random.Generator, int], Array],
) -> None:
    param = draw(rng, shape, dtype, kind)
    tensor = to_torch(param)
    arguments = {**options, "initial_accumulator_value": start}
    ours, theirs = TorchAdagrad([param], **arguments), torch.optim.Adagrad([tensor], **arguments)
    with np.errstate(all="ignore"):
        for step in range(STEPS):
            indices = indices_of(rng, shape[0])
            values = draw(rng, (len(indices), *shape[1:]), dtype, kind)
            ours.step([RowSparse(indices, values)])
            tensor.grad = coo(indices, values, shape)
            theirs.step()
            assert_same_bits(param, to_numpy(tensor), f"parameter, step {step}")
            assert_same_bits(ours.state[0]["sum"], to_numpy(theirs.state[tensor]["sum"]), f"sum, step {step}")
            assert ours.state[0]["step"] == theirs.state[tensor]["step"].item()


def unique(rng: np.random.Generator, rows: int) -> Array:
    return rng.permutation(rows)[: rng.integers(0, rows + 1)]


def few(rng: np.random.Generator, rows: int) -> Array:
    """So few that torch's sort is stable."""
    return rng.integers(0, min(rows, 6), 16)


@pytest.mark.usefixtures("rounded_roots")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("indices_of", [unique, few])
@pytest.mark.parametrize("seed", range(200))
def test_torch(dtype: npt.DTypeLike, indices_of: Callable[[np.random.Generator, int], Array], seed: int) -> None:
    """In each dtype 200 configurations of unique rows, and as many of equal ones."""
    rng = np.random.default_rng(seed)
    options = draw_torch_options(rng)
    options["weight_decay"] = 0
    shape, kind = SHAPES[seed % len(SHAPES)], KINDS[seed % len(KINDS)]
    beside_torch(rng, dtype, shape, kind, options, float(rng.choice([0, 0.1])), indices_of)


@pytest.mark.parametrize(("count", "is_stable"), [(16, True), (17, False), (32_767, False), (32_768, True)])
def test_the_sort_of_torch(count: int, is_stable: bool) -> None:
    """Where it is not stable, sums of equal rows differ."""
    rng = np.random.default_rng(count)
    indices, values = rng.integers(0, 4, count), rng.standard_normal((count, 1)).astype(np.float32)
    sums = coo(indices, values, (4, 1)).coalesce().values().numpy()
    assert np.array_equal(sums, total_rows(indices, values)[1]) == is_stable


@pytest.mark.usefixtures("rounded_roots")
def test_the_rate_is_rounded_twice() -> None:
    """Unlike that of dense gradients. A gradient of 1, without eps, changes a parameter of 0 by the rate itself."""
    rng = np.random.default_rng(6)
    grad = RowSparse(np.zeros(1, np.int64), np.ones((1, 1)))
    steps = [*rng.integers(1, 2**24, 296), 2**24 - 1, 2**24, 2**24 + 1, 2**25 + 1]
    for step, lr, lr_decay in zip(steps, *(10 ** rng.uniform(-6, 1, (2, 300))), strict=True):
        param, tensor = np.zeros((1, 1)), torch.zeros(1, 1, dtype=torch.float64)
        ours = TorchAdagrad([param], lr, lr_decay, eps=0)
        theirs = torch.optim.Adagrad([tensor], lr, lr_decay, eps=0)
        ours.state[0]["step"][...] = step - 1
        theirs.state[tensor]["step"].fill_(step - 1)
        ours.step([grad])
        tensor.grad = coo(grad.indices, grad.values, (1, 1))
        theirs.step()
        assert_same_bits(param, to_numpy(tensor), f"{lr=} {lr_decay=} {step=}")


@pytest.mark.usefixtures("rounded_roots")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stored", [0, 1, 2, 30])
def test_torch_on_elements(dtype: npt.DTypeLike, stored: int) -> None:
    """A SciPy matrix is torch's gradient of two sparse dimensions, with its exception for one element."""
    rng = np.random.default_rng(stored)
    param = rng.standard_normal((8, 9)).astype(dtype)
    tensor = to_torch(param)
    ours, theirs = TorchAdagrad([param], lr=0.037), torch.optim.Adagrad([tensor], lr=0.037)
    for step, convert in enumerate((sparse.csr_array, sparse.csc_array, sparse.coo_array, sparse.csr_matrix)):
        places = rng.permutation(72)[:stored]
        values = rng.standard_normal(stored).astype(dtype)
        indices = np.array([places // 9, places % 9])
        ours.step([convert(sparse.coo_array((values, tuple(indices)), (8, 9)))])
        tensor.grad = coo(indices, values, (8, 9))
        theirs.step()
        assert_same_bits(param, to_numpy(tensor), f"parameter, step {step}")
        assert_same_bits(ours.state[0]["sum"], to_numpy(theirs.state[tensor]["sum"]), f"sum, step {step}")


def test_norm_of_stored_values() -> None:
    rng = np.random.default_rng(3)
    param = np.zeros((300, 5), np.float32)
    indices, values = rng.integers(0, 300, 1000), rng.standard_normal((1000, 5), np.float32)
    optimizer = TorchAdagrad([param])
    optimizer.step([RowSparse(indices, values)], max_norm=np.inf)
    assert optimizer.grad_norm == rows_norm(total_rows(indices, values)[1])


def test_dense_and_sparse_in_turn() -> None:
    """A gradient of all rows is the dense gradient but for torch's sparse arithmetic; both count their steps."""
    rng = np.random.default_rng(4)
    tables, others = ([np.zeros((6, 4)), np.zeros(3)] for _ in range(2))
    tables[0][...] = others[0][...] = rng.standard_normal((6, 4))
    optimizer, other = TorchAdagrad(tables), TorchAdagrad(others)
    for k in range(6):
        values, bias = rng.standard_normal((6, 4)), np.full(3, float(k))
        grad = RowSparse(np.arange(6), values) if k % 2 else values
        optimizer.step([grad, bias], max_norm=1e9)
        other.step([grad, bias])
        for table, expected in zip(tables, others, strict=True):
            assert_same_bits(table, expected)
    assert optimizer.state[0]["step"] == 6


def test_weight_decay_is_an_error_as_in_torch() -> None:
    w = np.full((3, 1), 2.0)
    optimizer, grad = TorchAdagrad([w], weight_decay=0.5), RowSparse([0], np.ones((1, 1)))
    message = (
        "weight_decay option is not compatible with sparse gradients; "
        "TorchAdagrad(..., sparse_weight_decay='touched') decays the rows that a gradient covers"
    )
    raises_unchanged(optimizer, RuntimeError, message, lambda: optimizer.step([grad]))


def test_touched_rows_decay_once() -> None:
    w = np.full((3, 1), 2.0)
    optimizer = TorchAdagrad([w], lr=1, weight_decay=0.5, eps=0, sparse_weight_decay="touched")
    optimizer.step([RowSparse([1, 1], np.zeros((2, 1)))])
    assert w.tolist() == [[2], [1], [2]]
    assert optimizer.state[0]["sum"].tolist() == [[0], [1], [0]]
    message = "sparse_weight_decay: expected None or 'touched', got 'all'"
    raises(ValueError, message, lambda: TorchAdagrad([w], sparse_weight_decay="all"))
