"""A model of the time of a step over MPI: messages, bytes, and work on each element."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy_adagrad.mpi.averaging import BUCKET_SIZE

FLOAT32 = 4


@dataclass(frozen=True)
class Work:
    """The seconds of a rank for each element of the gradients: to copy and average them, and to update a parameter."""

    gradient: float
    update: float


@dataclass(frozen=True)
class Link:
    """The seconds of a message, and of a byte."""

    message: float
    byte: float


def messages(ranks: int, elements: int) -> int:
    """Return how many messages a rank sends one after another in a dense step.

    The handshake goes through a tree. Each bucket of gradients goes to each other rank, and so do its means, or the
    parameters that are updated with them.
    """
    buckets = max(math.ceil(FLOAT32 * elements / BUCKET_SIZE), 1)
    return math.ceil(math.log2(ranks)) + 2 * buckets * (ranks - 1)


def bytes_sent(ranks: int, elements: int) -> float:
    """Return how many bytes a rank sends in a dense step: as many as it receives."""
    return 2 * (ranks - 1) / ranks * FLOAT32 * elements


def row_bytes_sent(name: str, ranks: int, batch: int, distinct: int, dim: int) -> float:
    """Return how many bytes a rank sends for the rows of a batch, `distinct` of which differ.

    `ShardedTable` sends indices and rows for the lookup and for the step; `Replicated` sends its gradient to each rank.
    """
    entry = 8 + FLOAT32 * dim
    if name == "ShardedTable":
        return (ranks - 1) / ranks * (distinct + batch) * entry
    return (ranks - 1) * batch * entry


def seconds(name: str, ranks: int, elements: int, link: Link, work: Work) -> float:
    """Return the time of a dense step of `Replicated` or `Sharded`."""
    sent = link.message * messages(ranks, elements) + link.byte * bytes_sent(ranks, elements)
    return sent + seconds_of_work(name, ranks, elements, work)


def seconds_of_work(name: str, ranks: int, elements: int, work: Work) -> float:
    updated = elements / ranks if name == "Sharded" else elements
    return work.gradient * elements + work.update * updated


def fit(found: Sequence[tuple[str, int, int, float]], work: Work) -> Link:
    """Return the link whose times are nearest to the measured ones: by the squares of the relative differences.

    Each measurement is a name, the number of ranks, of elements, and the seconds.
    """
    rows, targets = [], []
    for name, ranks, elements, measured in found:
        rows.append([messages(ranks, elements) / measured, bytes_sent(ranks, elements) / measured])
        targets.append(1 - seconds_of_work(name, ranks, elements, work) / measured)
    message, byte = np.linalg.lstsq(np.array(rows), np.array(targets))[0]
    return Link(float(message), float(byte))
