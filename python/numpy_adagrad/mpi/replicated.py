"""Data parallelism: every rank has all parameters and their state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..inputs.gradients import Grads
from ..inputs.memmap import check_files
from ..inputs.row_sparse import RowSparse
from ..inputs.types import Array, Number
from ..inputs.validation import positive_int
from ..optimizers._base import Optimizer
from .averaging import BUCKET_SIZE, Averaging
from .collective import CollectiveCall
from .communicators import duplicate, next_number
from .facts import Facts, optimizer_facts, schedule_facts, step_facts, value_facts
from .gradients import Grad, SparseGrad, grad_facts, read_grads
from .layout import Form, Layout
from .rows import element_gradient, gather_rows, row_means

if TYPE_CHECKING:
    from mpi4py import MPI

SparseMean: TypeAlias = Callable[[SparseGrad, tuple[int, ...]], Any]


class Replicated:
    """An optimizer that every rank has, and that steps with the mean of all ranks' gradients.

    With `n` ranks, and the gradients of each in its own dtype::

        g = (g of rank 0 + g of rank 1 + ... + g of rank n - 1) / n

    in this order, each operation rounded to the dtype of the gradient. The bits of a step are those of one process that
    steps with `g`: they depend neither on the MPI library nor on `bucket_size`. For a `RowSparse` the sum of a row is
    that of its entries, by rank and then as given, and is divided by `n`; a sparse array of SciPy likewise by elements.

    Every rank calls each method at the same time. All have the same parameters, options and number of steps, and give
    gradients of the same kinds and dtypes, with None for the same parameters.

    Parameters
    ----------
    opt : optimizer
        This rank's own optimizer. Options are changed there, on every rank alike.
    comm : mpi4py.MPI.Intracomm
        The optimizers use a duplicate of it. No two methods of optimizers on it may run at a time, as in two threads.
    bucket_size : int, default 4 MiB
        The number of bytes that a rank receives at a time. While they are added, the next ones travel; between
        machines, the means of those before them, too.
    debug : bool, default False
        Compare options, numbers of steps, parameters and accumulators of all ranks at each step, not only here.

    Raises
    ------
    ValueError
        On every rank, if ranks differ in their parameters, their options or their state. The message says where.
    TypeError
        If `opt` is not an optimizer of this package.

    Notes
    -----
    A step needs memory for the gradients once more, and twice `bucket_size`. The update begins when all gradients have
    been averaged, and changes all parameters in one call: a signal handler may save `opt` at any time.

    Start programs with ``python -m mpi4py``: an exception on one rank then ends the job with its message. If the
    program of one rank ends while others call an optimizer, these raise an error. An error raised after the exchange
    has begun, such as a MemoryError or an interrupt, ends the job. See the guide to several machines.

    References
    ----------
    S. Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 13 (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from mpi4py import MPI
    >>> from numpy_adagrad import TorchAdagrad
    >>> from numpy_adagrad.mpi import Replicated
    >>> w = np.zeros(2, np.float32)
    >>> opt = Replicated(TorchAdagrad([w], lr=0.5), MPI.COMM_SELF)
    >>> opt.step([np.array([3, -4], np.float32)])
    >>> w
    array([-0.5,  0.5], dtype=float32)
    """

    def __init__(
        self, opt: Optimizer, comm: MPI.Intracomm, *, bucket_size: int = BUCKET_SIZE, debug: bool = False
    ) -> None:
        self._comm = duplicate(comm)
        self._number = next_number(self._comm)
        self._debug = debug
        self._forms: list[Form] | None = None
        self.opt = opt
        with CollectiveCall(self._comm, self._number, "Replicated") as call, call.agreement() as facts:
            if not isinstance(opt, Optimizer):
                kind = type(opt)
                expected = "expected an optimizer of numpy_adagrad, such as TorchAdagrad"
                raise TypeError(f"opt: {expected}, got {kind.__module__}.{kind.__qualname__}")
            self._bucket_size = positive_int(bucket_size, "bucket_size")
            check_files(opt._bound.files)
            facts |= {"bucket_size": str(self._bucket_size), "debug": str(debug), **self._state_facts()}

    def step(
        self,
        grads: Grads | None = None,
        *,
        grad_scale: Number | None = None,
        max_norm: Number | None = None,
        on_nonfinite: str = "propagate",
    ) -> None:
        """Average the gradients over all ranks and update the parameters with the means.

        Parameters
        ----------
        grads : array, mapping or sequence of arrays
            This rank's gradients, as for the ``step`` of the optimizer.
        grad_scale, max_norm, on_nonfinite : optional
            As for the ``step`` of the optimizer; they apply to the means. All ranks give the same.

        Raises
        ------
        TypeError, ValueError, KeyError, IndexError
            On every rank, if the gradients of one rank do not fit, or those of two ranks do not fit together. Nothing
            has changed on any rank then.
        FloatingPointError, RuntimeError
            On every rank, as the ``step`` of the optimizer does.

        Examples
        --------
        See the class.
        """
        options: dict[str, Any] = {"grad_scale": grad_scale, "max_norm": max_norm, "on_nonfinite": on_nonfinite}
        with self.opt._calling_schedules_once(), CollectiveCall(self._comm, self._number, "Replicated.step") as call:
            with call.agreement() as facts:
                check_files(self.opt._bound.files)
                names, shapes = self.opt.names, [param.shape for param in self._params()]
                own = read_grads(grads, shapes, names, self.opt._single_param)
                facts |= step_facts(self.opt, **options) | grad_facts(own, names)
                if self._debug:
                    facts |= self._state_facts()
                self._prepare_dense([grad for grad in own if isinstance(grad, np.ndarray)])
                self.opt._check_step(self._means(own, shapes, _without_entries), **options)
                facts |= schedule_facts(self.opt)
            self._average_dense()
            self.opt.step(self._means(own, shapes, self._sparse_mean), **options)

    def _params(self) -> list[Array]:
        return [slot.param for slot in self.opt._current_slots()]

    def _state_facts(self) -> Facts:
        params = self._params()
        accumulators = [slot.state[self.opt._accumulator] for slot in self.opt._current_slots()]
        return {
            **optimizer_facts(self.opt, params),
            **value_facts("params", params),
            **value_facts("accumulators", accumulators),
        }

    def _prepare_dense(self, grads: list[Array]) -> None:
        """Copy the dense gradients into the buffer in which they are averaged."""
        forms = [(grad.shape, grad.dtype) for grad in grads]
        if forms != self._forms:
            layout = Layout(forms, self._comm.size)
            self._forms = None  # until there is memory for all of it
            self._averaging = Averaging(self._comm, layout, self._bucket_size)
            self._buffer = layout.new_buffer()
            self._arrays = layout.arrays(self._buffer)
            self._forms = forms
        for array, grad in zip(self._arrays, grads, strict=True):
            array[...] = grad

    def _average_dense(self) -> None:
        averaged = self._averaging.average(self._buffer)
        self._averaging.collect(self._buffer, (number for number, _ in averaged))

    def _means(self, grads: list[Grad], shapes: list[tuple[int, ...]], sparse_mean: SparseMean) -> list[Any]:
        """Return the arrays of the buffer, and what `sparse_mean` makes of the sparse gradients."""
        arrays = iter(self._arrays)
        return [
            sparse_mean(grad, shape) if isinstance(grad, SparseGrad) else None if grad is None else next(arrays)
            for grad, shape in zip(grads, shapes, strict=True)
        ]

    def _sparse_mean(self, grad: SparseGrad, shape: tuple[int, ...]) -> Any:
        indices, values = (gather_rows(self._comm, array) for array in (grad.indices, grad.values))
        return _as_given(SparseGrad(*row_means(indices, values, self._comm.size), grad.has_rows), shape)


def _without_entries(grad: SparseGrad, shape: tuple[int, ...]) -> Any:
    return _as_given(SparseGrad(grad.indices[:0], grad.values[:0], grad.has_rows), shape)


def _as_given(grad: SparseGrad, shape: tuple[int, ...]) -> Any:
    """Return a sparse gradient of the kind that the optimizer reads."""
    if grad.has_rows:
        return RowSparse(grad.indices, grad.values)
    return element_gradient(grad.indices, grad.values, shape)
