"""A table whose rows are divided among the ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..inputs.memmap import check_files
from ..inputs.row_sparse import RowSparse
from ..inputs.stored_elements import as_indices, check_indices, check_is_array
from ..inputs.types import Array, Group, Number
from ..inputs.validation import check_shape, positive_int
from ..optimizers._base import Optimizer
from . import checkpoints
from .averaging import total_norm
from .collective import CollectiveCall
from .communicators import duplicate, next_number
from .divided import Divided, check_class
from .facts import optimizer_facts, option_facts, schedule_facts, step_facts
from .gradients import SparseGrad, read_rows
from .rows import exchange_rows, row_means

if TYPE_CHECKING:
    from mpi4py import MPI

NAME = "table"
"""The name of the parameter in checkpoints."""


class ShardedTable(Divided):
    """An embedding table whose rows, with their accumulators, are divided among the ranks.

    Each of `n` ranks has ``ceil(rows / n)`` rows that follow each other; the last ranks may have fewer. `lookup` and
    `step` exchange only the rows that a batch touches. A step has the bits of `Replicated` with a `RowSparse`: the
    entries of a row are added by rank and then as given, and the sum is divided once by `n`. With `max_norm`, the norm
    is taken as `Sharded` does.

    Every rank calls each method at the same time, with its own indices.

    Parameters
    ----------
    rows, dim : int
        The shape of the whole table.
    comm : mpi4py.MPI.Intracomm
        The optimizers use a duplicate of it. No two methods of optimizers on it may run at a time, as in two threads.
    optimizer_class : class of an optimizer
        Such as `TorchAdagrad`.
    create : callable, optional
        ``create(start, stop)`` returns the initial rows of this rank, a real array of shape ``(stop - start, dim)``,
        which may be a memory-mapped file. By default, rows are zeros of float32.
    **arguments
        Those of the optimizer. `allocate` may put the accumulators of this rank into a file.

    Attributes
    ----------
    start, stop : int
        The rows that this rank has.
    local_rows : array of shape (stop - start, dim)
        Their values.

    Raises
    ------
    TypeError, ValueError
        On every rank, as the optimizer does, for an array that does not fit, and if ranks differ in their arguments.

    Notes
    -----
    In checkpoints, the name of the parameter is ``table``.

    Examples
    --------
    >>> import numpy as np
    >>> from mpi4py import MPI
    >>> from numpy_adagrad import RowSparse, TorchAdagrad
    >>> from numpy_adagrad.mpi import ShardedTable
    >>> table = ShardedTable(1000, 2, MPI.COMM_SELF, TorchAdagrad, lr=0.5)
    >>> table.step(RowSparse([7, 7], np.ones((2, 2), np.float32)))
    >>> table.lookup([7, 8])
    array([[-0.5, -0.5],
           [ 0. ,  0. ]], dtype=float32)
    """

    def __init__(
        self,
        rows: int,
        dim: int,
        comm: MPI.Intracomm,
        optimizer_class: type[Optimizer],
        *,
        create: Callable[[int, int], Array] | None = None,
        **arguments: Any,
    ) -> None:
        self._comm = duplicate(comm)
        self._number = next_number(self._comm)
        with CollectiveCall(self._comm, self._number, "ShardedTable") as call, call.agreement() as facts:
            check_class(optimizer_class)
            self._rows, self._dim = rows, dim = positive_int(rows, "rows"), positive_int(dim, "dim")
            if rows * dim >= 2**63:
                raise ValueError(f"rows: expected fewer than 2**63 elements, got {rows} rows of {dim}")
            facts |= option_facts(rows=rows, dim=dim, **arguments)
            self._block = -(-rows // self._comm.size)
            self._bounds = np.minimum(np.arange(self._comm.size + 1) * self._block, rows)
            self.start, self.stop = (int(bound) for bound in self._bounds[self._comm.rank :][:2])
            shape = (self.stop - self.start, dim)
            self.local_rows = np.zeros(shape, np.float32) if create is None else create(self.start, self.stop)
            check_is_array(self.local_rows, "create")
            check_shape("create", shape, self.local_rows.shape)
            if self.local_rows.dtype.kind == "c":
                expected = "expected real numbers, as sparse gradients are real"
                raise TypeError(f"create: {expected}, got {self.local_rows.dtype}")
            self._part = self.local_rows
            named: Any = {NAME: self._part}
            self._local = optimizer_class(named, **arguments)
            facts |= {"dtype": str(self.local_rows.dtype), **optimizer_facts(self._local, [])}

    def lookup(self, ids: npt.ArrayLike) -> Array:
        """Return rows of the table, wherever they are.

        Parameters
        ----------
        ids : array_like of int32 or int64
            In any shape; each rank has its own.

        Returns
        -------
        array of shape ``(*ids.shape, dim)``

        Raises
        ------
        TypeError, IndexError
            On every rank, if the ids of one are not integers, or not in ``[0, rows)``.

        Examples
        --------
        See the class.
        """
        with CollectiveCall(self._comm, self._number, "ShardedTable.lookup") as call:
            with call.agreement():
                check_files(self._local._bound.files)
                indices = as_indices(ids, "ids")
                check_indices(indices.reshape(-1), self._rows, "ids")
            wanted, places = np.unique(indices.astype(np.int64), return_inverse=True)
            counts = self._counts(wanted)
            asked, asked_counts = exchange_rows(self._comm, wanted, counts)
            found, _ = exchange_rows(self._comm, self.local_rows[asked - self.start], asked_counts)
        rows: Array = found[places.reshape(-1)].reshape(*indices.shape, self._dim)
        return rows

    def step(
        self,
        grad: RowSparse,
        *,
        grad_scale: Number | None = None,
        max_norm: Number | None = None,
        on_nonfinite: str = "propagate",
    ) -> None:
        """Average the gradients over all ranks and update the rows that they touch.

        Parameters
        ----------
        grad : RowSparse
            This rank's gradient, whose indices are those of the whole table. It may have no entries.
        grad_scale, max_norm, on_nonfinite : optional
            As for the ``step`` of the optimizer; they apply to the means. All ranks give the same.

        Raises
        ------
        TypeError, ValueError, IndexError
            On every rank, if the gradient of one does not fit. Nothing has changed then.
        FloatingPointError
            On every rank, as the ``step`` of the optimizer does.

        Examples
        --------
        See the class.
        """
        options: dict[str, Any] = {"grad_scale": grad_scale, "max_norm": max_norm, "on_nonfinite": on_nonfinite}
        local = self._local
        with local._calling_schedules_once(), CollectiveCall(self._comm, self._number, "ShardedTable.step") as call:
            with call.agreement() as facts:
                check_files(local._bound.files)
                checkpoints.divided_slots(local, [self._part])
                facts |= step_facts(local, **options)
                if not isinstance(grad, RowSparse):
                    raise TypeError(f"grad: expected a RowSparse, got {type(grad).__name__}")
                own = read_rows(grad, (self._rows, self._dim), "grad")
                if own.values.dtype != self.local_rows.dtype:
                    raise TypeError(f"grad.values: expected {self.local_rows.dtype}, got {own.values.dtype}")
                local._check_step([RowSparse(own.indices[:0], own.values[:0])], **options)
                facts |= schedule_facts(local)
            local._step_part([self._mean(own)], partial(total_norm, self._comm), **options)

    def _mean(self, own: SparseGrad) -> RowSparse:
        """Return the mean over all ranks of the rows that this rank has."""
        order = np.argsort(own.indices // self._block, kind="stable")  # by owner, and then as given
        counts = self._counts(own.indices[order])
        indices, _ = exchange_rows(self._comm, own.indices[order], counts)
        values, _ = exchange_rows(self._comm, own.values[order], counts)
        return RowSparse(*row_means(indices - self.start, values, self._comm.size))

    def _counts(self, indices: Array) -> Array:
        """Return how many of the rows each rank has."""
        counts: Array = np.bincount(indices // self._block, minlength=self._comm.size)
        return counts

    def _divisions(self) -> list[checkpoints.Division]:
        return [checkpoints.Division(self._part, (self._rows, self._dim), np.diff(self._bounds) * self._dim)]

    def _check_options(self, groups: Sequence[Group]) -> None:
        """Whole rows can have any option."""

    def _collect(self) -> None:
        """No rank has rows of another."""
