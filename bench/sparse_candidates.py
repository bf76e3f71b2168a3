"""Candidates for sparse gradients. Each takes a table and batches and returns a step.

Each step takes the next batch as a new gradient: to find equal rows in it and to sum them is part of the step, for all
candidates but `memory_bound`. All update the same table, and all accumulators are memory from NumPy.
"""

import warnings
from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import cycle
from typing import Any

import numpy as np
from numpy_adagrad import RowSparse
from numpy_adagrad.benchmark.candidates import (
    MEMORY_BOUND,
    OWN_RULES,
    Candidate,
    Step,
    import_numba,
    make_own,
    memory_bound_step,
)
from numpy_adagrad.benchmark.formulas import EPS, LR
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers import OPTIMIZERS
from sparse_workloads import Batch

Batches = list[Batch]


def in_turn(steps: Iterable[Callable[[], object]]) -> Step:
    turns = cycle(steps)
    return Step(lambda: next(turns)())


def memory_bound(table: Array, batches: Batches) -> Step:
    """Each batch has its own plan, which keeps the groups of equal rows: only the first step looks for them."""
    sums = np.zeros_like(table)

    def one(batch: Batch) -> Any:
        zeros = np.broadcast_to(np.float32(0), batch.values.shape)
        return memory_bound_step([table], [sums], [RowSparse(batch.indices, zeros)], [RowSparse(*batch)])

    return in_turn([one(batch) for batch in batches])


def own_optimizer(rule: str, table: Array, batches: Batches) -> Step:
    optimizer = make_own(rule, [table])
    return in_turn([partial(optimizer.step, [RowSparse(*batch)]) for batch in batches])


def numpy_step(table: Array, batches: Batches) -> Step:
    sums = np.zeros_like(table)

    def step(batch: Batch) -> None:
        rows, g = sum_equal_rows(batch)
        s = sums[rows] + g * g
        sums[rows] = s
        table[rows] -= LR * g / (np.sqrt(s) + EPS)

    return in_turn([partial(step, batch) for batch in batches])


def sum_equal_rows(batch: Batch) -> tuple[Array, Array]:
    """Return the distinct rows in ascending order and the sum of the values of each, added in order of occurrence."""
    rows, positions = np.unique(batch.indices, return_inverse=True)
    totals = np.zeros((len(rows), batch.values.shape[1]), batch.values.dtype)
    np.add.at(totals, positions, batch.values)
    return rows, totals


def numba_loop(table: Array, batches: Batches) -> Step:
    loop, sums = compiled_loop(), np.zeros_like(table)
    lr, eps = np.float32(LR), np.float32(EPS)

    def step(batch: Batch) -> None:
        loop(table, sums, *batch, np.argsort(batch.indices, kind="stable"), lr, eps)

    return in_turn([partial(step, batch) for batch in batches])


@cache
def compiled_loop() -> Any:
    """Return the straightforward loop over sorted indices, with the distinct rows divided among threads."""
    numba = import_numba()

    def loop(table: Any, sums: Any, indices: Any, values: Any, order: Any, lr: Any, eps: Any) -> None:
        starts = np.empty(len(order) + 1, np.int64)
        count = 0
        for k in range(len(order)):
            if k == 0 or indices[order[k]] != indices[order[k - 1]]:
                starts[count] = k
                count += 1
        starts[count] = len(order)
        for i in numba.prange(count):
            row, first, last = indices[order[starts[i]]], starts[i], starts[i + 1]
            g = values[order[first]]
            if last - first > 1:
                g = g.copy()
                for k in range(first + 1, last):
                    for j in range(len(g)):
                        g[j] += values[order[k], j]
            for j in range(len(g)):
                sums[row, j] += g[j] * g[j]
                table[row, j] -= lr * g[j] / (np.sqrt(sums[row, j]) + eps)

    return numba.njit(parallel=True, error_model="numpy")(loop)


def torch_optimizer(table: Array, batches: Batches) -> Step:
    """Gradients are not coalesced, like those of an embedding with `sparse=True`.

    No other candidate has the same bits: torch sums equal rows in another order, and MKL's square root is not exact.
    """
    import torch

    torch.sparse.check_sparse_tensor_invariants.disable()  # the default, but torch warns if it is not set explicitly
    param = torch.from_numpy(table)
    optimizer = torch.optim.Adagrad([param], lr=LR, eps=EPS)
    optimizer.state[param]["sum"] = torch.from_numpy(np.zeros_like(table))

    def step(grad: Any) -> None:
        param.grad = grad
        optimizer.step()

    def gradient(batch: Batch) -> Any:
        indices, values = map(torch.from_numpy, batch)
        return torch.sparse_coo_tensor(indices[None], values, table.shape)

    return in_turn([partial(step, gradient(batch)) for batch in batches])


def fbgemm_embedding(table: Array, batches: Batches) -> Step:
    """FBGEMM updates the table in the backward pass, so the time includes that of autograd. Bags have one row."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parts that need a GPU
        from fbgemm_gpu import split_table_batched_embeddings_ops_training as ops
        from fbgemm_gpu.split_embedding_configs import EmbOptimType

    specs = [(*table.shape, ops.EmbeddingLocation.HOST, ops.ComputeDevice.CPU)]
    options = {"optimizer": EmbOptimType.EXACT_ADAGRAD, "learning_rate": LR, "eps": EPS}
    embedding = ops.SplitTableBatchedEmbeddingBagsCodegen(specs, **options)
    embedding.weights_host.data = torch.from_numpy(table.reshape(-1))
    embedding.momentum1_host.data = torch.from_numpy(np.zeros(table.size, np.float32))

    def one(batch: Batch) -> Any:
        indices, values = map(torch.from_numpy, batch)
        output = embedding(indices, torch.arange(len(indices) + 1))
        return partial(output.backward, values, retain_graph=True)

    return in_turn([one(batch) for batch in batches])


SPARSE_CANDIDATES = {
    MEMORY_BOUND: Candidate(memory_bound, "memory_bound"),
    **{OPTIMIZERS[rule].__name__: Candidate(partial(own_optimizer, rule), rule) for rule in OWN_RULES},
    "NumPy": Candidate(numpy_step, "torch"),
    "numba": Candidate(numba_loop, "torch", ("numba",)),
    "torch-sparse": Candidate(torch_optimizer, "torch", ("torch",)),
    "FBGEMM": Candidate(fbgemm_embedding, "torch", ("torch", "fbgemm_gpu")),
}
