"""Who steps with sparse gradients: each candidate takes a table and batches, and makes a function that steps once.

Each step takes the next batch, as if its gradient had just come: finding the equal rows in it and summing them is part
of the step, for all but the floor. All move the same table, and accumulators are memory from NumPy.
"""

import warnings
from collections.abc import Iterable
from functools import cache, partial
from itertools import cycle
from typing import Any

import numpy as np

from .. import MindSporeAdagrad, RowSparse, TorchAdagrad
from ..inputs.types import Array
from .candidates import ACCUM, EPS, LR, Candidate, Stepper, floor_step, imported_numba
from .row_workloads import Batch

Batches = list[Batch]


def in_turn(steps: Iterable[Any]) -> Stepper:
    turns = cycle(steps)
    return Stepper(lambda: next(turns)())


def floor(table: Array, batches: Batches) -> Stepper:
    """The package's loop with next to no arithmetic. It keeps the groups of equal rows while it sees the same indices,
    so each batch has a plan of its own and does not look for them again."""
    sums = np.zeros_like(table)

    def one(batch: Batch) -> Any:
        still = np.broadcast_to(np.float32(0), batch.values.shape)
        return floor_step([table], [sums], [RowSparse(batch.indices, still)], [RowSparse(*batch)])

    return in_turn([one(batch) for batch in batches])


def torch_rule(table: Array, batches: Batches) -> Stepper:
    optimizer = TorchAdagrad([table], lr=LR, eps=EPS)
    return in_turn([partial(optimizer.step, [RowSparse(*batch)]) for batch in batches])


def mindspore_rule(table: Array, batches: Batches) -> Stepper:
    optimizer = MindSporeAdagrad([table], accum=ACCUM, learning_rate=LR)
    return in_turn([partial(optimizer.step, [RowSparse(*batch)]) for batch in batches])


def naive_numpy(table: Array, batches: Batches) -> Stepper:
    sums = np.zeros_like(table)

    def step(batch: Batch) -> None:
        rows, g = summed(batch)
        s = sums[rows] + g * g
        sums[rows] = s
        table[rows] -= LR * g / (np.sqrt(s) + EPS)

    return in_turn([partial(step, batch) for batch in batches])


def summed(batch: Batch) -> tuple[Array, Array]:
    """The rows that occur, in order, and for each the sum of its values, added as they come."""
    rows, places = np.unique(batch.indices, return_inverse=True)
    totals = np.zeros((len(rows), batch.values.shape[1]), batch.values.dtype)
    np.add.at(totals, places, batch.values)
    return rows, totals


def numba_loop(table: Array, batches: Batches) -> Stepper:
    loop, sums = compiled_loop(), np.zeros_like(table)
    lr, eps = np.float32(LR), np.float32(EPS)

    def step(batch: Batch) -> None:
        loop(table, sums, *batch, np.argsort(batch.indices, kind="stable"), lr, eps)

    return in_turn([partial(step, batch) for batch in batches])


@cache
def compiled_loop() -> Any:
    """The obvious loop over sorted indices, rows shared among threads."""
    numba = imported_numba()

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


def torch_itself(table: Array, batches: Batches) -> Stepper:
    """Gradients as an embedding with `sparse=True` leaves them, not coalesced.

    Its bits are nobody's: it sums equal rows in another order, and the square root of MKL is not exact.
    """
    import torch

    torch.sparse.check_sparse_tensor_invariants.disable()  # the default, but torch warns where nobody has said so
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


def fbgemm(table: Array, batches: Batches) -> Stepper:
    """Its embedding steps in the backward pass, of which autograd's part is therefore timed; bags of one row each."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it misses where there is no GPU
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


ROW_CANDIDATES = {
    "floor": Candidate(floor, "floor"),
    "TorchAdagrad": Candidate(torch_rule, "torch"),
    "MindSporeAdagrad": Candidate(mindspore_rule, "mindspore"),
    "NumPy": Candidate(naive_numpy, "torch"),
    "numba": Candidate(numba_loop, "torch", ("numba",)),
    "torch-sparse": Candidate(torch_itself, "torch", ("torch",)),
    "FBGEMM": Candidate(fbgemm, "torch", ("torch", "fbgemm_gpu")),
}
