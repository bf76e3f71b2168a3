"""Checkpoints of state that is divided among ranks: one ordinary file, which loads on any number of ranks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core, checkpoint
from ..checkpoint import Content
from ..inputs.types import Array, Group
from ..inputs.validation import cast_like
from ..optimizers._base import Optimizer
from .collective import CollectiveCall
from .rows import as_bytes, block, offsets

if TYPE_CHECKING:
    from mpi4py import MPI

    from ..optimizers._slots import Pairs, Slot

ROOT = 0
"""The rank that reads and writes files."""


class Division(NamedTuple):
    """This rank's part of a parameter, the shape of the whole, and how many of its elements each rank has, in order."""

    part: Array
    shape: tuple[int, ...]
    counts: Array


def divided_slots(optimizer: Optimizer, parts: Sequence[Array]) -> list[Slot]:
    """Return the slots of this rank's parts. Another order of parameters, or others, would not fit the division."""
    slots = optimizer._current_slots()
    if [id(slot.param) for slot in slots] != [id(part) for part in parts]:
        cure = "change only options in the groups, or construct another optimizer"
        raise ValueError(f"param_groups: expected the parameters of the constructor in their order, got others; {cure}")
    return slots


def save(
    optimizer: Optimizer,
    call: CollectiveCall,
    divisions: Sequence[Division],
    path: str | os.PathLike[str],
    extra: Mapping[str, Any] | None,
) -> None:
    """Gather parameters and state on one rank, which writes them as `Optimizer.save` does."""
    comm = call.comm
    with optimizer._lock:
        with call.agreement() as facts:
            facts["path"] = checkpoint.file_name(path)
            key, slots = optimizer._accumulator, divided_slots(optimizer, [division.part for division in divisions])
            content = optimizer._saved_content(parameters=True, extra=extra)
            divided = list(zip(slots, divisions, strict=True))
            params = [_new_whole(comm, slot.param, division) for slot, division in divided]
            sums = [_new_whole(comm, slot.state[key], division) for slot, division in divided]
        for slot, division, param, accumulator in zip(slots, divisions, params, sums, strict=True):
            _gather(comm, slot.param, param, division)
            _gather(comm, slot.state[key], accumulator, division)
        with call.agreement():
            if comm.rank == ROOT:
                states = [{**slot.state, key: whole} for slot, whole in zip(slots, sums, strict=True)]
                checkpoint.save(checkpoint.file_name(path), replace(content, states=states, parameters=params))


def load(
    optimizer: Optimizer,
    call: CollectiveCall,
    divisions: Sequence[Division],
    path: str | os.PathLike[str],
    check_options: Callable[[Sequence[Group]], None],
) -> dict[str, Any] | None:
    """Read a file on one rank and scatter parameters and state; return the `extra` of the file."""
    whole: Content | None = None
    with optimizer._lock:
        with call.agreement() as facts:
            facts["path"] = checkpoint.file_name(path)
            optimizer._check_reentry()
            divided_slots(optimizer, [division.part for division in divisions])
            optimizer._prepare_transfer()
            if call.comm.rank == ROOT:
                whole = _read(optimizer, divisions, checkpoint.file_name(path))
        content = _scatter_content(optimizer, call.comm, divisions, whole)
        pairs: Pairs = []
        with call.agreement(), checkpoint.naming(checkpoint.file_name(path)):
            pairs = optimizer._restore(content)
            check_options(content.options)
        _core.commit(pairs)
        extra: dict[str, Any] | None = content.extra
        return extra


def _read(optimizer: Optimizer, divisions: Sequence[Division], path: str) -> Content:
    """Return the content of a file, its arrays in the shapes of the whole parameters and in the dtypes here."""
    key = optimizer._accumulator
    with checkpoint.naming(path):
        if checkpoint.is_ckpt(path):
            cure = "load it into MindSporeAdagrad in one process, and save that with parameters=True"
            raise ValueError(f"expected a checkpoint of numpy-adagrad, got one of MindSpore; {cure}")
        content = checkpoint.load(path, optimizer._content([], parameters=True))
        params, states = [], []
        loaded = zip(content.names, content.parameters or (), content.states, strict=True)
        for (name, param, state), slot, (_, shape, _) in zip(loaded, optimizer._slots, divisions, strict=True):
            params.append(cast_like(param, _whole(slot.param, shape), f"param.{name}"))
            states.append({**state, key: cast_like(state[key], _whole(slot.state[key], shape), f"{key}.{name}")})
    return replace(content, states=states, parameters=params)


def _whole(part: Array, shape: tuple[int, ...]) -> Array:
    """Return an array in the dtype of `part` and in another shape, which takes no memory."""
    return np.broadcast_to(np.zeros((), part.dtype), shape)


def _scatter_content(
    optimizer: Optimizer, comm: MPI.Intracomm, divisions: Sequence[Division], whole: Content | None
) -> Content:
    """Return the content with this rank's parts of the arrays. `whole` is None except on one rank."""
    key = optimizer._accumulator
    params = whole.parameters or [] if whole is not None else [None] * len(divisions)
    accumulators = [state[key] for state in whole.states] if whole is not None else [None] * len(divisions)
    rest = None
    if whole is not None:
        others = [{name: array for name, array in state.items() if name != key} for state in whole.states]
        rest = replace(whole, states=others, parameters=None)
    content: Content = comm.bcast(rest, ROOT)
    parts, states = [], []
    for i, (slot, division) in enumerate(zip(optimizer._slots, divisions, strict=True)):
        parts.append(_scatter(comm, params[i], division, slot.param))
        states.append({**content.states[i], key: _scatter(comm, accumulators[i], division, slot.state[key])})
    return replace(content, states=states, parameters=parts)


def _new_whole(comm: MPI.Intracomm, part: Array, division: Division) -> Array:
    """Return memory for the whole array on one rank, and an empty array on the others."""
    return np.empty(division.shape if comm.rank == ROOT else 0, part.dtype)


def _gather(comm: MPI.Intracomm, part: Array, whole: Array, division: Division) -> None:
    counts, unit = _in_blocks(division, part)
    comm.Gatherv([as_bytes(part), counts[comm.rank], unit], [as_bytes(whole), (counts, offsets(counts)), unit], ROOT)


def _scatter(comm: MPI.Intracomm, whole: Array | None, division: Division, like: Array) -> Array:
    """Return this rank's part of an array that one rank has, as a new array like `like`."""
    part = np.empty(like.shape, like.dtype)
    counts, unit = _in_blocks(division, like)
    sent = None if whole is None else [as_bytes(whole), (counts, offsets(counts)), unit]
    comm.Scatterv(sent, [as_bytes(part), counts[comm.rank], unit], ROOT)
    return part


def _in_blocks(division: Division, part: Array) -> tuple[Array, MPI.Datatype]:
    """Return the number of blocks that each rank has, and their datatype: the largest of which all have whole ones."""
    size = max(int(np.gcd.reduce(division.counts)), 1)
    return division.counts // size, block(size * part.itemsize)
