"""Sharded state: every rank has all parameters, and updates a slice of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ..inputs.containers import are_groups, check_has_params, members, read_once
from ..inputs.gradients import Grads
from ..inputs.memmap import check_arrays, check_files
from ..inputs.types import Array, Group, Number, Params
from ..inputs.validation import positive_int
from ..optimizers._base import Optimizer
from . import checkpoints
from .averaging import BUCKET_SIZE, Averaging, total_norm
from .collective import CollectiveCall
from .communicators import duplicate, next_number
from .divided import Divided, check_class
from .facts import array_labels, optimizer_facts, option_facts, schedule_facts, step_facts, value_facts
from .gradients import Grad, SparseGrad, grad_facts, read_grads
from .layout import Layout

if TYPE_CHECKING:
    from mpi4py import MPI


class Sharded(Divided):
    """An optimizer whose accumulators are divided among the ranks: stage 1 of ZeRO.

    The constructor copies the parameters into one buffer, the same on every rank. From then on, use the arrays in
    `params`, which are views of that buffer; the arrays that you gave are not updated. Each rank has the accumulators
    for one slice of the buffer; all slices have the same size and begin at a cache line. A step

    1. averages the gradients of the slice over all ranks, as `Replicated` does,
    2. updates the slice with an ordinary optimizer of this package,
    3. collects the slices of all ranks.

    The parameters then have the bits that `Replicated` gives them. With `max_norm`, the norm is the root of the sum of
    the squares of the ranks' norms, in their order. It is the same on every rank. But it may differ from that of one
    process in its last bits, and then the parameters differ as much.

    Every rank calls each method at the same time, with the same arguments but for the gradients.

    Parameters
    ----------
    optimizer_class : class of an optimizer
        Such as `TorchAdagrad`.
    params : array, mapping, sequence or groups of arrays
        As for the optimizer, with the same values on every rank.
    comm : mpi4py.MPI.Intracomm
        The optimizers use a duplicate of it. No two methods of optimizers on it may run at a time, as in two threads.
    bucket_size : int, default 4 MiB
        The number of bytes that a rank receives at a time. While they are added, and between machines their parameters
        updated, the next ones travel.
    debug : bool, default False
        Compare options and numbers of steps of all ranks at each step, not only here.
    **arguments
        Those of the optimizer.

    Attributes
    ----------
    params : dict or list of arrays
        The parameters, by name if they were given with names, otherwise in the order of the optimizer.

    Raises
    ------
    TypeError, ValueError
        On every rank, as the optimizer does, and if ranks differ in parameters or options. The message says where.
    ValueError
        For `grad_centralization`, which needs whole rows.
    KeyError
        For a group without `params`, such as one with `order_params`.

    Notes
    -----
    Of the memory of an optimizer, the accumulators take 1/n of their size on each of `n` ranks. A step needs memory for
    the gradients once more, and twice `bucket_size`.

    Between machines, the update of one bucket overlaps the exchange of the next. See the guide to several machines.

    References
    ----------
    S. Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", SC20 (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from mpi4py import MPI
    >>> from numpy_adagrad import TorchAdagrad
    >>> from numpy_adagrad.mpi import Sharded
    >>> opt = Sharded(TorchAdagrad, {"w": np.zeros(2, np.float32)}, MPI.COMM_SELF, lr=0.5)
    >>> opt.step({"w": np.array([3, -4], np.float32)})
    >>> opt.params["w"]
    array([-0.5,  0.5], dtype=float32)
    """

    params: Any

    def __init__(
        self,
        optimizer_class: type[Optimizer],
        params: Params,
        comm: MPI.Intracomm,
        *,
        bucket_size: int = BUCKET_SIZE,
        debug: bool = False,
        **arguments: Any,
    ) -> None:
        self._comm = duplicate(comm)
        self._number = next_number(self._comm)
        self._debug = debug
        with CollectiveCall(self._comm, self._number, "Sharded") as call, call.agreement() as facts:
            check_class(optimizer_class)
            bucket_size = positive_int(bucket_size, "bucket_size")
            self._divide(optimizer_class, params, arguments)
            self._averaging = Averaging(self._comm, self._layout, bucket_size)
            self._check_options(self._local.param_groups)
            arrays = self._layout.arrays(self._values)
            facts |= {"bucket_size": str(bucket_size), "debug": str(debug), **optimizer_facts(self._local, arrays)}
            facts |= option_facts(**arguments) | value_facts("params", arrays)

    def _divide(self, optimizer_class: type[Optimizer], params: Params, arguments: Mapping[str, Any]) -> None:
        """Copy the parameters into the buffer, and make the optimizer of this rank's slice."""
        given = read_once(params)
        grouped = are_groups(given)
        groups: list[Group] = [dict(item) for item in given] if grouped else [{"params": given}]
        for group in groups:
            check_has_params(group)
        found = [members(group["params"]) for group in groups]
        arrays = [array for own, _ in found for array in own]
        names = [name for group, (_, own) in zip(groups, found, strict=True) for name in own or _param_names(group)]
        names = names if len(names) == len(arrays) else []
        _core.check_params(optimizer_class._rule, arrays, names)
        check_arrays(zip(array_labels("params", len(arrays), names), arrays, strict=True))
        self._layout = Layout([(array.shape, array.dtype) for array in arrays], self._comm.size)
        self._values, self._grads = self._layout.new_buffer(), self._layout.new_buffer()
        views = self._layout.arrays(self._values)
        for view, array in zip(views, arrays, strict=True):
            view[...] = array
        # The optimizer has a flat part of each parameter, which is empty where the slice has none of it.
        self._parts = self._layout.parts(self._values, self._comm.rank)
        parts = iter(self._parts)
        for group, (own, own_names) in zip(groups, found, strict=True):
            own_parts = [next(parts) for _ in own]
            group["params"] = own_parts if own_names is None else _named(own_names, own_parts)
        self._local = optimizer_class(groups if grouped else groups[0]["params"], **arguments)
        self._single_param = isinstance(params, np.ndarray)
        self.params = dict(zip(names, views, strict=True)) if names else views

    def _check_options(self, groups: Sequence[Group]) -> None:
        for k, group in enumerate(groups):
            if group.get("grad_centralization"):
                raise ValueError(
                    f"param_groups[{k}]['grad_centralization']: expected False, as it needs whole rows, got True"
                )

    # The step

    def step(
        self,
        grads: Grads | None = None,
        *,
        grad_scale: Number | None = None,
        max_norm: Number | None = None,
        on_nonfinite: str = "propagate",
    ) -> None:
        """Average the gradients over all ranks and update all parameters with the means.

        Parameters
        ----------
        grads : array, mapping or sequence of arrays
            This rank's gradients in the form of the parameters, each of the shape and dtype of its parameter. None
            skips a parameter, on all ranks.
        grad_scale, max_norm, on_nonfinite : optional
            As for the ``step`` of the optimizer; they apply to the means. All ranks give the same.

        Raises
        ------
        TypeError, ValueError, KeyError
            On every rank, if the gradients of one rank do not fit, or those of two ranks do not fit together. Nothing
            has changed on any rank then.
        FloatingPointError
            On every rank, as the ``step`` of the optimizer does.

        Examples
        --------
        See the class.
        """
        options: dict[str, Any] = {"grad_scale": grad_scale, "max_norm": max_norm, "on_nonfinite": on_nonfinite}
        local = self._local
        with local._calling_schedules_once(), CollectiveCall(self._comm, self._number, "Sharded.step") as call:
            with call.agreement() as facts:
                check_files(local._bound.files)
                checkpoints.divided_slots(local, self._parts)
                self._check_options(self.param_groups)
                own = self._read(grads)
                facts |= step_facts(local, **options) | grad_facts(own, local.names)
                if self._debug:
                    facts |= optimizer_facts(local, self._layout.arrays(self._values))
                missing = {i for i, grad in enumerate(own) if grad is None}
                parts = self._layout.parts(self._grads, self._comm.rank)
                means = [None if i in missing else part for i, part in enumerate(parts)]
                local._check_step(means, **options)
                facts |= schedule_facts(local)
            for view, grad in zip(self._layout.arrays(self._grads), own, strict=True):
                if grad is not None:
                    view[...] = grad
            averaged = self._averaging.average(self._grads, missing)
            if self._averaging.overlaps and max_norm is None and on_nonfinite == "propagate":
                updated: Iterable[int] = local._step_by_ranges(means, averaged, grad_scale)
            else:
                updated = [number for number, _ in averaged]
                local._step_part(means, partial(total_norm, self._comm), **options)
            self._averaging.collect(self._values, updated)

    def _read(self, grads: Grads | None) -> list[Grad]:
        names, forms = self._local.names, self._layout.forms
        own = read_grads(grads, [shape for shape, _ in forms], names, self._single_param)
        labels = array_labels("grads", len(own), names)
        for grad, (_, dtype), label in zip(own, forms, labels, strict=True):
            if isinstance(grad, SparseGrad):
                raise TypeError(f"{label}: expected an array, got a sparse gradient; use ShardedTable or Replicated")
            if grad is not None and grad.dtype != dtype:
                raise TypeError(f"{label}: expected {dtype}, the dtype of the parameter, got {grad.dtype}")
        return own

    def _collect(self) -> None:
        """Send this rank's slice of the parameters to all others."""
        self._averaging.collect(self._values, range(len(self._averaging.buckets)))

    def _divisions(self) -> list[checkpoints.Division]:
        layout = self._layout
        counts = [[part.size for part in layout.parts(self._values, rank)] for rank in range(self._comm.size)]
        return [
            checkpoints.Division(part, shape, np.array(own))
            for part, (shape, _), own in zip(self._parts, layout.forms, zip(*counts, strict=True), strict=True)
        ]


def _param_names(group: Group) -> Iterable[Any]:
    names = group.get("param_names")
    return names if isinstance(names, (list, tuple)) else ()


def _named(names: list[Any], parts: list[Array]) -> Any:
    """Return arrays with names, which need not be text; a name that occurs twice stays, so that it raises an error."""
    named = dict(zip(names, parts, strict=True))
    return named if len(named) == len(parts) else list(zip(names, parts, strict=True))
