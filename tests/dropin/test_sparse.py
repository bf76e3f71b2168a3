"""The bits of torch's sparse path, given a correctly rounded root: its own is MKL's, which depends on the machine."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from helpers.dropin import assert_same, parameters
from numpy_adagrad.torch import Adagrad

OPTIONS = [
    {"lr": 0.037, "lr_decay": decay, "initial_accumulator_value": initial, "maximize": maximize}
    for decay, initial, maximize in itertools.product([0, 0.1], [0, 0.1], [False, True])
]


@pytest.fixture(autouse=True)
def _correctly_rounded_root(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.sparse.check_sparse_tensor_invariants.disable()  # torch warns once unless told
    monkeypatch.setattr(torch.Tensor, "sqrt_", lambda self: self.copy_(torch.from_numpy(np.sqrt(self.numpy()))))


def sparse_grad(param: torch.Tensor, count: int, seed: int, sparse_dims: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randint(size, (count,), generator=generator) for size in param.shape[:sparse_dims]]
    values = torch.randn((count, *param.shape[sparse_dims:]), dtype=torch.float64, generator=generator)
    grad = torch.sparse_coo_tensor(torch.stack(rows), values.to(param.dtype), param.shape, check_invariants=False)
    return grad.coalesce() if seed % 5 == 4 else grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_rows_and_elements(options: dict[str, Any], dtype: torch.dtype) -> None:
    cases = [((50, 4), 1), ((50,), 1), ((9, 7), 2), ((6, 3, 2), 3), ((300, 1), 1)]
    ours, theirs = (parameters([shape for shape, _ in cases], dtype) for _ in range(2))
    optimizer, reference = Adagrad(ours, **options), torch.optim.Adagrad(theirs, **options)
    for step, count in enumerate([3, 0, 16, 40, 1, 200, 2, 1000]):
        for params in (ours, theirs):
            for param, (_, dims) in zip(params, cases, strict=True):
                param.grad = sparse_grad(param, count, step, dims)
        optimizer.step()
        reference.step()
        assert_same(optimizer, reference)


@pytest.mark.parametrize("count", [32_767, 32_768, 100_000])
def test_large_batches(count: int) -> None:
    ours, theirs = (parameters([(5000, 3)]) for _ in range(2))
    optimizer, reference = Adagrad(ours, lr=0.1), torch.optim.Adagrad(theirs, lr=0.1)
    for step in range(2):
        for (param,) in (ours, theirs):
            param.grad = sparse_grad(param, count, step)
        optimizer.step()
        reference.step()
    assert_same(optimizer, reference)


def test_dense_and_sparse_gradients_in_turn() -> None:
    """With dense steps of torch's fused kernel in between."""
    ours, theirs = (parameters([(20, 3), (7,)]) for _ in range(2))
    optimizer = Adagrad(ours, lr=0.1)
    reference = torch.optim.Adagrad(theirs, lr=0.1)
    for step in range(6):
        for params in (ours, theirs):
            params[0].grad = sparse_grad(params[0], 30, step) if step % 2 else torch.ones(20, 3)
            params[1].grad = None
        reference.param_groups[0]["fused"] = step % 2 == 0
        optimizer.step()
        reference.step()
        assert_same(optimizer, reference)


@pytest.mark.parametrize("padding", [None, 0])
def test_an_embedding(padding: int | None) -> None:
    models = []
    for _ in range(2):
        torch.manual_seed(0)
        models.append(torch.nn.Embedding(100, 8, padding_idx=padding, sparse=True))
    optimizer = Adagrad(models[0].parameters(), lr=0.1)
    reference = torch.optim.Adagrad(models[1].parameters(), lr=0.1)
    for step in range(5):
        words = torch.randint(100, (64,), generator=torch.Generator().manual_seed(step))
        for model, opt in zip(models, (optimizer, reference), strict=True):
            opt.zero_grad()
            model(words).square().sum().backward()
            opt.step()
    assert_same(optimizer, reference)
