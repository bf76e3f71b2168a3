"""Sparse gradients: the rows of all ranks, and their means."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs.rounding import ieee
from ..inputs.types import Array

if TYPE_CHECKING:
    from mpi4py import MPI


def as_bytes(array: Array) -> Array:
    """Return the bytes of an array in C order, without a copy if they are in that order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


@cache
def block(size: int) -> MPI.Datatype:
    """Return a datatype of `size` bytes, in which messages are counted: Open MPI's counts and places end at 2^31."""
    from mpi4py import MPI

    return MPI.BYTE.Create_contiguous(size).Commit()


def reals(array: Array) -> Array:
    """Return a contiguous array as one of real numbers: complex ones are added and divided by their parts."""
    return array.view(array.real.dtype)


def divide(array: Array, count: int, out: Array) -> None:
    """Divide real numbers by a number of ranks. Types of 16 bits may not hold it: float32 does, and rounds once."""
    if array.itemsize > 2:
        np.divide(array, array.dtype.type(count), out=out)
    else:
        out[...] = array.astype(np.float32) / np.float32(count)


def row_bytes(array: Array) -> int:
    """Return the number of bytes of a row, also of an array without rows."""
    return array.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))


def offsets(counts: Array) -> Array:
    """Return where each of several parts begins that lie end to end."""
    ends: Array = np.cumsum(counts)
    return ends - counts


def gather_rows(comm: MPI.Intracomm, array: Array) -> Array:
    """Return the rows of all ranks, in the order of the ranks."""
    counts = np.empty(comm.size, np.int64)
    comm.Allgather(np.array([len(array)], np.int64), counts)
    gathered = np.empty((int(counts.sum()), *array.shape[1:]), array.dtype)
    row = block(row_bytes(array))
    comm.Allgatherv([as_bytes(array), len(array), row], [as_bytes(gathered), (counts, offsets(counts)), row])
    return gathered


@ieee()
def row_means(indices: Array, values: Array, count: int) -> tuple[Array, Array]:
    """Add the values of each row in the order given and divide the sums by `count`; return ascending rows and means."""
    order = np.argsort(indices, kind="stable")
    rows, firsts = np.unique(indices[order], return_index=True)
    totals = np.ascontiguousarray(values[order[firsts]])
    others = np.delete(order, firsts)
    np.add.at(totals, np.searchsorted(rows, indices[others]), values[others])
    if totals.size:
        parts = reals(totals.reshape(-1))
        divide(parts, count, parts)
    return rows, totals


def element_gradient(indices: Array, values: Array, shape: tuple[int, ...]) -> Any:
    """Return elements of a parameter, given by their flat indices, as a sparse array of SciPy."""
    from scipy.sparse import coo_array

    array = coo_array((np.zeros(len(values), bool), np.unravel_index(indices, shape)), shape)
    array.data = values  # the constructor takes no half types
    return array


def exchange_rows(comm: MPI.Intracomm, array: Array, counts: Array) -> tuple[Array, Array]:
    """Send the first ``counts[0]`` rows to rank 0, the next to rank 1 and so on; return those of all ranks likewise.

    The second result is the number of rows that each rank has sent here.
    """
    received_counts = np.empty_like(counts)
    comm.Alltoall(counts, received_counts)
    received = np.empty((int(received_counts.sum()), *array.shape[1:]), array.dtype)
    row = block(row_bytes(array))
    sent = [as_bytes(array), (counts, offsets(counts)), row]
    comm.Alltoallv(sent, [as_bytes(received), (received_counts, offsets(received_counts)), row])
    return received, received_counts
