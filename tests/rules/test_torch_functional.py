"""functional.adagrad beside torch.optim.adagrad.adagrad, bit for bit."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.torch_arrays import to_numpy, to_torch
from helpers.values import KINDS, draw
from numpy_adagrad import RowSparse, TorchAdagrad
from numpy_adagrad.functional import adagrad
from numpy_adagrad.inputs.types import Array
from scipy.sparse import csr_array

# The name `torch.optim.adagrad` is also that of a function, so the module is imported by name.
torch_adagrad = importlib.import_module("torch.optim.adagrad").adagrad

SHAPES = [(), (0,), (1,), (33,), (4, 5)]
OPTIONS: dict[str, Any] = {"lr": 0.3, "weight_decay": 0.0, "lr_decay": 0.0, "eps": 1e-10, "maximize": False}
CHANGES: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.1, "lr_decay": 0.3},
    {"maximize": True, "eps": 1e-3, "lr": 2},
    {"found_inf": np.zeros((), np.float32), "grad_scale": np.array(3.7, np.float32)},
    {"found_inf": np.ones((), np.float32), "grad_scale": np.array(3.7, np.float32)},
    {"found_inf": np.ones((), np.float32)},
]


class Rows(Sequence[Array]):
    """The rows of a matrix, in which each look-up makes a new view."""

    def __init__(self, matrix: Array) -> None:
        self._matrix = matrix

    def __getitem__(self, index: Any) -> Any:
        return self._matrix[index]

    def __len__(self) -> int:
        return len(self._matrix)


def draw_state(dtype: npt.DTypeLike, kind: str) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    rng = np.random.default_rng(1)
    params, grads = ([draw(rng, shape, dtype, kind) for shape in SHAPES] for _ in range(2))
    sums = [np.array(abs(draw(rng, shape, dtype, kind))) for shape in SHAPES]
    steps = [np.array(i, np.float32) for i, _ in enumerate(SHAPES)]
    return params, grads, sums, steps


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adagrad(dtype: npt.DTypeLike, kind: str, change: dict[str, Any]) -> None:
    ours, options = draw_state(dtype, kind), {**OPTIONS, **change}
    theirs = [[to_torch(array) for array in arrays] for arrays in ours]
    grads = [grad.copy() for grad in ours[1]]
    for step in range(3):
        adagrad(*ours, fused=True, **options)
        theirs[1] = [to_torch(grad) for grad in grads]  # torch leaves them divided by grad_scale
        tensors = {key: to_torch(value) if isinstance(value, np.ndarray) else value for key, value in options.items()}
        scaling = {"grad_scale": None, "found_inf": None}
        torch_adagrad(*theirs, fused=True, **{**scaling, **tensors})
        for name, arrays, others in zip(("params", "grads", "sums", "steps"), ours, theirs, strict=True):
            for i, array in enumerate(arrays):
                expected = grads[i] if name == "grads" else to_numpy(others[i])
                assert_same_bits(array, expected, f"{name}[{i}], step {step}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_are_pairs_of_reals(dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(2)
    param, grad, state_sum = (draw(rng, (33,), dtype, kind) for _ in range(3))
    theirs = [[to_torch(array.view(array.real.dtype))] for array in (param, grad, state_sum)]
    step, their_step = np.zeros((), np.float32), [torch.zeros(())]
    for _ in range(3):
        adagrad([param], [grad], [state_sum], [step], has_complex=True, **OPTIONS)
        torch_adagrad(*theirs, their_step, fused=True, grad_scale=None, found_inf=None, **OPTIONS)
        for array, (other,) in zip((param, grad, state_sum), theirs, strict=True):
            assert_same_bits(array.view(array.real.dtype), to_numpy(other))


@pytest.mark.parametrize("has_sparse_grad", [False, True])
def test_sparse_gradients_are_those_of_the_optimizer(has_sparse_grad: bool) -> None:
    rng = np.random.default_rng(3)
    param, values = (draw(rng, (4, 5), "float32", "normal") for _ in range(2))
    expected, state_sum, step = param.copy(), np.zeros((4, 5), np.float32), np.zeros((), np.float32)
    options = {**OPTIONS, "lr_decay": 0.1}
    optimizer = TorchAdagrad([expected], lr=OPTIONS["lr"], lr_decay=0.1)
    for grad in (RowSparse([3, 1, 3], values[:3]), csr_array(values * (values > 0)), RowSparse([], values[:0])):
        adagrad([param], [grad], [state_sum], [step], has_sparse_grad=has_sparse_grad, **options)
        optimizer.step([grad])
        for array, other in ((param, expected), (state_sum, optimizer.state[0]["sum"])):
            assert_same_bits(array, other)
    assert step == 3
    decayed = {**options, "weight_decay": 0.1}
    with pytest.raises(RuntimeError, match="weight_decay option is not compatible with sparse gradients"):
        adagrad([param], [RowSparse([0], values[:1])], [state_sum], [step], **decayed)
    assert_same_bits(param, expected)
    assert step == 3


@pytest.mark.parametrize("form", [np.asarray, tuple, Rows])
def test_sequences_that_make_views_as_they_are_read(form: Any) -> None:
    """A two-dimensional array is a sequence of its rows."""
    memory = [draw(np.random.default_rng(seed), (3, 4), "float32", "normal") for seed in range(3)]
    memory[2] = abs(memory[2])
    expected = [array.copy() for array in memory]
    steps, expected_steps = ([np.zeros((), np.float32) for _ in range(3)] for _ in range(2))
    params, grads, sums = memory
    adagrad(form(params), form(grads), form(sums), steps, **OPTIONS)
    params, grads, sums = expected
    adagrad(list(params), list(grads), list(sums), expected_steps, **OPTIONS)
    for name, array, other in zip(("params", "grads", "sums"), memory, expected, strict=True):
        assert_same_bits(array, other, name)
    assert steps == expected_steps == [1, 1, 1]
    assert (memory[0] != draw(np.random.default_rng(0), (3, 4), "float32", "normal")).all()
