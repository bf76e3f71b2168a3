"""The first steps of every candidate are checked, and wrong ones are found.

JAX and numba do not support forking, which other tests need; `test_programs.py` checks them in another process.
"""

from functools import partial

import numpy as np
import pytest
from helpers.benchmarks import DENSE, SPARSE
from numpy_adagrad.benchmark.candidates import Candidate, Step, participants
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES, own_optimizer
from numpy_adagrad.benchmark.dense_comparison import compare_dense
from numpy_adagrad.benchmark.dense_workloads import DenseWorkload
from numpy_adagrad.inputs.types import Array
from sparse_candidates import SPARSE_CANDIDATES
from sparse_comparison import compare_sparse
from sparse_workloads import Batch, draw_batches, draw_indices

IDLE = Candidate(lambda *_: Step(lambda: None), "torch")


@pytest.mark.parametrize("workload", DENSE, ids=lambda workload: workload.name)
def test_dense_results(workload: DenseWorkload) -> None:
    names = [name for name in participants(DENSE_CANDIDATES, workload.kind) if name not in ("numba", "optax")]
    assert {"TorchAdagrad", "MindSporeAdagrad"} <= set(names)
    assert compare_dense(workload, names).errors == {name: [] for name in names}


def test_wrong_dense_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DENSE_CANDIDATES, "idle", IDLE)
    other = Candidate(partial(own_optimizer, "torch"), "torch", reference="idle")
    monkeypatch.setitem(DENSE_CANDIDATES, "other", other)
    assert compare_dense(DENSE[0], ["idle", "other"]).errors == {
        "idle": ["1015 of 1015 elements differ from the formula"],
        "other": ["the bits differ from those of idle"],
    }


def test_sparse_results() -> None:
    names = [name for name in participants(SPARSE_CANDIDATES, SPARSE.kind) if name not in ("numba", "FBGEMM")]
    assert {"TorchAdagrad", "MindSporeAdagrad"} <= set(names)
    assert compare_sparse(SPARSE, names).errors == {name: [] for name in names}


def test_wrong_sparse_results(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = SPARSE._replace(batches=1)
    row = np.setdiff1d(np.arange(workload.rows), draw_indices(workload))[0]

    def with_another_row(table: Array, batches: list[Batch]) -> Step:
        right = SPARSE_CANDIDATES["NumPy"].make(table, batches)

        def step() -> None:
            right.run()
            table[row] = 1

        return Step(step)

    monkeypatch.setitem(SPARSE_CANDIDATES, "idle", IDLE)
    monkeypatch.setitem(SPARSE_CANDIDATES, "another row", Candidate(with_another_row, "torch"))
    count = np.unique(draw_indices(workload)).size * 64
    assert compare_sparse(workload, ["idle", "another row"]).errors == {
        "idle": [f"{count} of {count} elements differ from the formula"],
        "another row": ["rows without a gradient have changed"],
    }


@pytest.mark.parametrize("name", ["memory_bound", "TorchAdagrad", "MindSporeAdagrad", "NumPy"])
def test_each_step_takes_the_next_batch(name: str) -> None:
    batches = draw_batches(SPARSE)
    table = np.zeros(SPARSE.shape, np.float32)
    step = SPARSE_CANDIDATES[name].make(table, batches)
    for batch in (*batches, batches[0]):
        before = table.copy()
        step.run()
        assert set(np.flatnonzero((table != before).any(1))) == set(batch.indices)
