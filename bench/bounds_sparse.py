"""The sparse steps that `bounds_worker.py` times."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from bound_loops import rows_bound
from bounds import INDEXING, INDICES, OURS, SPARSE_RIVAL
from bounds_dense import EPS, LR, PARALLEL, Step, numbers
from numpy_adagrad import RowSparse, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from sparse_candidates import in_turn


@lru_cache(maxsize=1)
def values_of(width: int) -> list[Array]:
    """Return the values of the batches, together more than the caches hold."""
    rng = np.random.default_rng(2)
    return [numbers(rng, INDICES * width).reshape(INDICES, width) for _ in range(4 if width <= 64 else 2)]


def draw(rows: str, number: int, rng: np.random.Generator) -> Array:
    """Draw indices below `number`."""
    by_rank = 1 / np.arange(1, number + 1) ** 1.2
    ranks = np.searchsorted(np.cumsum(by_rank / by_rank.sum()), rng.random(INDICES))
    drawn: dict[str, Callable[[], Any]] = {
        "uniform": lambda: rng.integers(0, number, INDICES),
        "Zipf, scattered": lambda: rng.permutation(number)[ranks],
        "Zipf, frequent rows first": lambda: ranks,
        "among 100 rows": lambda: rng.integers(0, 100, INDICES),
        "among 2 rows": lambda: rng.integers(0, 2, INDICES),
        "one row": lambda: np.full(INDICES, number // 2),
        "ascending, unique": lambda: np.sort(rng.choice(number, INDICES, replace=False)),
    }
    indices: Array = np.minimum(drawn[rows](), number - 1)
    return indices


def sparse_steps(implementation: str, library: str, rows: str, width: int) -> list[Step]:
    rng = np.random.default_rng(1)
    table = np.ones((1_000_000 if width <= 64 else 100_000, width), np.float32)
    batches = [(draw(rows, len(table), rng), values) for values in values_of(width)]
    steps: list[Step]
    if implementation == OURS:
        ours = TorchAdagrad([table], lr=LR, eps=EPS)
        steps = [partial(ours.step, [RowSparse(*batch)]) for batch in batches]
    elif implementation == SPARSE_RIVAL:
        steps = torch_steps(table, batches)
    elif implementation == INDEXING:
        sums = np.zeros_like(table)
        steps = [partial(numpy_step, table, sums, *batch) for batch in batches]
    else:
        return [in_turn(rows_bound(library, table, batches, parallel)).run for parallel in PARALLEL]
    return [in_turn(steps).run]


def torch_steps(table: Array, batches: list[tuple[Array, Array]]) -> list[Step]:
    import torch

    torch.sparse.check_sparse_tensor_invariants.disable()
    param = torch.from_numpy(table)
    optimizer = torch.optim.Adagrad([param], lr=LR, eps=EPS)
    grads = [
        torch.sparse_coo_tensor(torch.from_numpy(indices)[None], torch.from_numpy(values), table.shape)
        for indices, values in batches
    ]

    def step(grad: Any) -> None:
        param.grad = grad
        optimizer.step()

    return [partial(step, grad) for grad in grads]


def numpy_step(table: Array, sums: Array, indices: Array, values: Array) -> None:
    total = sums[indices] + values * values
    sums[indices] = total
    table[indices] -= np.float32(LR) * values / (np.sqrt(total) + np.float32(EPS))
