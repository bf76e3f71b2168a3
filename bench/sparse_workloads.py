"""Workloads with sparse gradients: tables by name, and batches of gradients for some of their rows."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy_adagrad.inputs.types import Array

WIDTH = 64
# The gradient is read, parameter and accumulator are read and written, each a float32.
ELEMENT_BYTES = 5 * 4


class SparseWorkload(NamedTuple):
    """A float32 table, and the number of indices in the gradient of one step."""

    name: str
    rows: int
    indices: int
    batches: int
    zipf: bool = False  # some rows are frequent; otherwise all are equally likely
    kind: str = "float32"

    @property
    def shape(self) -> tuple[int, int]:
        """Return the shape of the table."""
        return self.rows, WIDTH

    @property
    def updated_rows(self) -> float:
        """Return the number of distinct rows that a step updates, the mean over all batches."""
        return sum(len(np.unique(indices)) for indices in draw_indices(self)) / self.batches

    @property
    def bytes(self) -> float:
        """Return the bytes that a step has to read and write. A row that occurs several times counts once."""
        return self.updated_rows * WIDTH * ELEMENT_BYTES

    def small(self) -> "SparseWorkload":
        """Return a small version, for a quick check of the results."""
        return self._replace(rows=10_000, batches=2)


class Batch(NamedTuple):
    """A sparse gradient: `values[k]` is the gradient of row `indices[k]`."""

    indices: Array
    values: Array


@cache
def draw_indices(workload: SparseWorkload) -> list[Array]:
    """Draw the indices of each batch.

    They are uniform or follow Zipf's law: the r-th most frequent row, which may be anywhere in the table, is 1/r times
    as likely as the most frequent one.
    """
    rng = np.random.default_rng(1)
    size = workload.batches, workload.indices
    if not workload.zipf:
        return list(rng.integers(workload.rows, size=size))
    cumulated = np.cumsum(1 / np.arange(1.0, workload.rows + 1))
    ranks = np.searchsorted(cumulated, cumulated[-1] * rng.random(size), side="right")
    return list(rng.permutation(workload.rows)[ranks])


def draw_batches(workload: SparseWorkload) -> list[Batch]:
    """Draw indices and normally distributed values."""
    rng = np.random.default_rng(2)
    shape = workload.indices, WIDTH
    return [Batch(indices, rng.standard_normal(shape, np.float32)) for indices in draw_indices(workload)]


# Half a million indices in each workload: no cache of today holds the rows and values of all batches.
SPARSE_WORKLOADS = {
    workload.name: workload
    for workload in (
        SparseWorkload("zipf 4096", 10**6, 2**12, 128, zipf=True),
        SparseWorkload("uniform 4096", 10**6, 2**12, 128),
        SparseWorkload("uniform 4096, 4e6 rows", 4 * 10**6, 2**12, 128),
        SparseWorkload("zipf 65536", 10**6, 2**16, 8, zipf=True),
        SparseWorkload("uniform 65536", 10**6, 2**16, 8),
    )
}
