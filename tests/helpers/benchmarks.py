"""Small workloads, and a machine on which only this package and NumPy are installed or other processes are busy."""

import sys
from itertools import accumulate, repeat

import pytest
from numpy_adagrad.benchmark import comparison
from numpy_adagrad.benchmark.dense_workloads import DenseWorkload
from sparse_workloads import SparseWorkload

PEERS = ("torch", "numba", "jax", "optax", "mindspore", "fbgemm_gpu")
WITHOUT_PEERS = ["memory_bound", "TorchAdagrad", "MindSporeAdagrad", "NumPy"]

TINY = [(1000,), (3, 5)]
DENSE = [
    DenseWorkload("float32", TINY),
    DenseWorkload("float64", TINY, "float64"),
    DenseWorkload("bfloat16", TINY, "bfloat16"),
    DenseWorkload("bfloat16/float32", TINY, "bfloat16", "float32"),
    DenseWorkload("clipped", TINY, max_norm=1.0),
]
SPARSE = SparseWorkload("sparse", rows=300, indices=100, batches=3, zipf=True)


def hide_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it look as if no other library were installed."""
    for name in PEERS:
        monkeypatch.setitem(sys.modules, name, None)


def shorten_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time a few steps instead of many."""
    monkeypatch.setattr(comparison, "BLOCK_SECONDS", 1e-5)


def set_other_load(monkeypatch: pytest.MonkeyPatch, *busy: bool) -> None:
    """Let other processes be busy or not in each round; the last value holds for all later rounds."""
    changes = [change for each in busy for change in (0, 1e9 if each else 0)]
    seconds = accumulate([*changes, *repeat(changes[-1], 1000)])
    monkeypatch.setattr(comparison, "others_seconds", lambda: next(seconds))
