"""What sparse gradients step: tables by name, and batches that touch some of their rows."""

from functools import cache
from typing import NamedTuple

import numpy as np

from ..inputs.types import Array

WIDTH = 64
FLOAT_BYTES = 4
MOVED = 5  # floats for each element touched: the gradient read, parameter and accumulator read and written


class Table(NamedTuple):
    """A float32 table and how many rows a step's gradient names, often the same ones if `zipf`."""

    name: str
    rows: int
    indices: int
    batches: int
    zipf: bool = False
    kind: str = "float32"
    yardstick: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """That of the table."""
        return self.rows, WIDTH

    @property
    def touched(self) -> float:
        """How many different rows a step touches, the mean of all batches."""
        return sum(len(np.unique(indices)) for indices in draw_indices(self)) / self.batches

    @property
    def bytes(self) -> float:
        """What a step must move, each row once: more values of a row that occurs again are not counted."""
        return self.touched * WIDTH * FLOAT_BYTES * MOVED

    def small(self) -> "Table":
        """The same for a look at the answers alone."""
        return self._replace(rows=10_000, batches=2)


class Batch(NamedTuple):
    """A gradient: row `indices[k]` has `values[k]`."""

    indices: Array
    values: Array


@cache
def draw_indices(table: Table) -> list[Array]:
    """Draw rows evenly, or by Zipf's law: the r-th of them, which may lie anywhere, 1/r times as often as the first."""
    rng = np.random.default_rng(1)
    size = table.batches, table.indices
    if not table.zipf:
        return list(rng.integers(table.rows, size=size))
    shares = np.cumsum(1 / np.arange(1.0, table.rows + 1))
    ranks = np.searchsorted(shares, shares[-1] * rng.random(size), side="right")
    return list(rng.permutation(table.rows)[ranks])


def draw_batches(table: Table) -> list[Batch]:
    """Draw normal values too."""
    rng = np.random.default_rng(2)
    return [Batch(indices, rng.standard_normal((table.indices, WIDTH), np.float32)) for indices in draw_indices(table)]


# Half a million indices each: no cache of today holds the rows and values of all batches.
TABLES = {
    table.name: table
    for table in (
        Table("zipf 4096", 10**6, 2**12, 128, zipf=True),
        Table("uniform 4096", 10**6, 2**12, 128),
        Table("uniform 4096, 4e6 rows", 4 * 10**6, 2**12, 128),
        Table("zipf 65536", 10**6, 2**16, 8, zipf=True),
        Table("uniform 65536", 10**6, 2**16, 8),
    )
}
