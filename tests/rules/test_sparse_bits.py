"""Gradients of rows: bits of the stable oracle, with and without equal rows, of torch where rows are unique."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.errors import Rule
from helpers.oracle import computing_type
from helpers.sparse_oracle import mindspore_rows, rows_norm, scaled_totals, torch_rows, total_rows
from helpers.torch_arrays import to_numpy, to_torch
from helpers.values import bfloat16, draw, real_type
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer
from scipy import sparse
from threadpoolctl import threadpool_limits

SHAPES = [(1,), (9,), (40, 1), (40, 3), (17, 16), (7, 5, 3), (3, 4099), (900, 64)]
KINDS = ("normal", "wide", "awkward")
STEPS = 3


def batches(
    rng: np.random.Generator, param: Array, kind: str, dtype: npt.DTypeLike | None = None
) -> Iterator[tuple[int, Array, Array]]:
    """Indices and values of several steps: unique or not, in any order, none at all now and then."""
    for step in range(STEPS):
        rows = len(param)
        count = int(rng.choice([0, 1, min(rows, 2), rows // 2, rows, 3 * rows, 20 * min(rows, 40)]))
        indices = rng.integers(0, rows, count).astype(rng.choice(["i4", "i8"]))
        yield step, indices, draw(rng, (count, *param.shape[1:]), dtype or param.dtype, kind)


def drawn_options(rng: np.random.Generator, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
    scaling = {
        "grad_scale": rng.choice(np.array([None, 3.7])),
        "max_norm": rng.choice(np.array([None, 0.7])),
    }
    if rule is TorchAdagrad:
        options = {
            "lr": rng.choice([0.037, 1.0]),
            "lr_decay": rng.choice([0, 0.1]),
            "eps": rng.choice([1e-10, 0.1]),
            "weight_decay": rng.choice([0, 0.013]),
            "maximize": bool(rng.integers(2)),
        }
    else:
        options = {
            "rate": 0.037,
            "weight_decay": float(rng.choice([0, 0.013])),
            "loss_scale": float(rng.choice([1, 3.7])),
            "update_slots": bool(rng.integers(2)),
            "centralize": bool(rng.integers(2)),
        }
    return options, {key: value for key, value in scaling.items() if value is not None}


def make(
    rule: Rule, param: Array, start: float, *, rate: float | None = None, centralize: bool = False, **options: Any
) -> TorchAdagrad | MindSporeAdagrad:
    if rule is TorchAdagrad:
        return rule([param], **options, initial_accumulator_value=start, sparse_weight_decay="touched")
    group = {"params": [param], "grad_centralization": centralize}
    return MindSporeAdagrad([group], learning_rate=rate, accum=start, **options)


class Oracle:
    """Copies of a parameter and its state, moved by the oracle."""

    def __init__(
        self, rule: Rule, param: Array, start: float, options: dict[str, Any], state_dtype: npt.DTypeLike | None = None
    ) -> None:
        self.rule, self.options = rule, options
        self.param, self.step = param.copy(), np.zeros((), np.float32)
        self.accum = np.full(param.shape, start, state_dtype or param.dtype)

    def move(self, indices: Array, values: Array, **scaling: Any) -> None:
        options = {key: value for key, value in self.options.items() if key != "maximize"}
        rows, totals = total_rows(indices, -values if self.options.get("maximize") else values)
        loss = {"loss_scale": self.options["loss_scale"]} if "loss_scale" in self.options else {}
        kept_in = computing_type if self.rule is TorchAdagrad else real_type
        g = scaled_totals(totals, kept_in, **scaling, **loss)
        if self.rule is TorchAdagrad:
            lone = len(rows) == 1 and self.param.ndim == 1
            torch_rows(self.param, self.accum, self.step, rows, g, lone=lone, **options)
        else:
            mindspore_rows(self.param, self.accum, rows, g, **self.options)

    def assert_equals(self, param: Array, optimizer: Optimizer, context: str) -> None:
        assert_same_bits(param, self.param, f"parameter, {context}")
        assert_same_bits(optimizer.state[0][optimizer._accumulator], self.accum, f"accumulator, {context}")
        if self.rule is TorchAdagrad:
            assert optimizer.state[0]["step"] == self.step


@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", bfloat16], ids=str)
@pytest.mark.parametrize("seed", range(130))
def test_the_stable_oracle(rule: Rule, dtype: npt.DTypeLike, seed: int) -> None:
    """1,040 configurations, half of them in float32 and float64, each on 1, 2, 3 or 7 threads."""
    rng = np.random.default_rng(seed)
    shape, kind = SHAPES[seed % len(SHAPES)], KINDS[seed % len(KINDS)]
    options, scaling = drawn_options(rng, rule)
    if kind != "normal":
        scaling.pop("max_norm", None)  # the norm is infinite or not a number
    param = draw(rng, shape, dtype, kind)
    oracle, optimizer = Oracle(rule, param, 0.1, options), make(rule, param, 0.1, **options)
    with threadpool_limits([1, 2, 3, 7][seed % 4], user_api="openmp"), np.errstate(all="ignore"):
        for step, indices, values in batches(rng, param, kind):
            before = indices.copy(), values.copy()
            optimizer.step([RowSparse(indices, values)], **scaling)
            oracle.move(indices, values, **scaling)
            oracle.assert_equals(param, optimizer, f"step {step}, {options}, {scaling}")
            assert_same_bits(indices, before[0])
            assert_same_bits(values, before[1])


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
def test_large_batches_on_any_number_of_threads(rule: Rule, threads: int) -> None:
    rng = np.random.default_rng(5)
    options: dict[str, Any] = {"lr": 0.037} if rule is TorchAdagrad else {"rate": 0.037}
    param = rng.standard_normal((5000, 64), np.float32)
    oracle, optimizer = Oracle(rule, param, 0.1, options), make(rule, param, 0.1, **options)
    with threadpool_limits(threads, user_api="openmp"):
        for step in range(2):
            indices = np.minimum(rng.zipf(1.3, 20_000), 5000) - 1
            values = rng.standard_normal((20_000, 64), np.float32)
            optimizer.step([RowSparse(indices, values)], max_norm=1.0)
            oracle.move(indices, values, max_norm=1.0)
            oracle.assert_equals(param, optimizer, f"step {step}")


@pytest.mark.parametrize("half", [np.dtype(np.float16), bfloat16], ids=str)
@pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])
def test_half_gradients_and_float32_accumulators(rule: Rule, half: npt.DTypeLike) -> None:
    rng = np.random.default_rng(7)
    options: dict[str, Any] = {"lr": 0.037} if rule is TorchAdagrad else {"rate": 0.037}
    for dtype, state_dtype in (("float32", None), (half, np.float32)):
        param = draw(rng, (40, 3), dtype, "normal")
        oracle = Oracle(rule, param, 0.5, options, state_dtype)
        more: dict[str, Any] = {"state_dtype": state_dtype}
        optimizer = make(rule, param, 0.5, **options, **more)
        for step, indices, values in batches(rng, param, "normal", half):
            optimizer.step([RowSparse(indices, values)])
            rows, totals = total_rows(indices, values)
            oracle.move(rows, totals)
            oracle.assert_equals(param, optimizer, f"step {step}")


# torch itself


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
    options, _ = drawn_options(rng, TorchAdagrad)
    options["weight_decay"] = 0
    shape, kind = SHAPES[seed % len(SHAPES)], KINDS[seed % len(KINDS)]
    beside_torch(rng, dtype, shape, kind, options, float(rng.choice([0, 0.1])), indices_of)


@pytest.mark.usefixtures("rounded_roots")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stored", [0, 1, 2, 30])
def test_torch_on_elements(dtype: npt.DTypeLike, stored: int) -> None:
    """A SciPy matrix moves what torch moves for two sparse dimensions, with its exception for one element."""
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
