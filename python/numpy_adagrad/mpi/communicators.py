"""The communicators of this package's messages, and what a rank does when its program ends."""

from __future__ import annotations

import atexit
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from .collective import agreeing

if TYPE_CHECKING:
    from mpi4py import MPI

    from .collective import Agreeing

_duplicates: list[MPI.Intracomm] = []
_process = os.getpid()
_aborts = False


def duplicate(comm: Any) -> MPI.Intracomm:
    """Return the duplicate of a communicator that all optimizers on it use, so that their messages meet no others.

    It is made once, by all ranks together, and freed with the communicator.
    """
    from mpi4py import MPI

    if not isinstance(comm, MPI.Intracomm):
        raise TypeError(f"comm: expected an mpi4py.MPI.Intracomm, got {type(comm).__name__}")
    if not comm:  # as Split gives to the ranks that are in no part
        raise ValueError("comm: expected a communicator that this rank belongs to, got MPI.COMM_NULL")
    kept = comm.Get_attr(_key())
    if isinstance(kept, MPI.Intracomm):
        return kept
    own = comm.Dup()
    comm.Set_attr(_key(), own)
    machine = own.Split_type(MPI.COMM_TYPE_SHARED)
    own.Set_attr(_links_key(), machine.size < own.size)
    machine.Free()
    _duplicates.append(own)
    _watch_the_end()
    return own


def next_number(comm: MPI.Intracomm) -> int:
    """Count the optimizers on a duplicate: each has the same number on every rank."""
    number: int = comm.Get_attr(_count_key()) or 0
    comm.Set_attr(_count_key(), number + 1)
    return number


def has_links(comm: MPI.Intracomm) -> bool:
    """Return whether the ranks of a duplicate are on several machines: the same answer on each of them."""
    return bool(comm.Get_attr(_links_key()))


@cache
def _key() -> int:
    """Return the key under which a communicator keeps its duplicate."""
    from mpi4py import MPI

    key: int = MPI.Comm.Create_keyval(delete_fn=_free)
    return key


def _free(comm: MPI.Comm, key: int, own: MPI.Intracomm) -> None:
    _duplicates.remove(own)
    own.Free()


@cache
def _links_key() -> int:
    """Return the key under which a duplicate keeps the answer of `has_links`."""
    from mpi4py import MPI

    return MPI.Comm.Create_keyval()


@cache
def _count_key() -> int:
    """Return the key under which a duplicate keeps the next number of `next_number`."""
    from mpi4py import MPI

    return MPI.Comm.Create_keyval()


@cache
def _watch_the_end() -> None:
    """Have `_leave` called when the program ends or finalizes MPI, and note if mpi4py aborts the job."""
    from mpi4py import MPI

    set_status = MPI._set_abort_status

    def note_and_set_status(status: int) -> None:
        global _aborts
        _aborts = status != 0
        set_status(status)

    MPI._set_abort_status = note_and_set_status  # mpi4py has no call that tells
    atexit.register(_leave)
    # MPI.Finalize deletes the attributes of this communicator first.
    MPI.COMM_SELF.Set_attr(MPI.Comm.Create_keyval(delete_fn=lambda comm, key, value: _leave()), None)


@cache
def _leave() -> None:
    """Wait until the programs of all ranks have ended. A rank that calls an optimizer meanwhile raises an error.

    If mpi4py is about to abort the job, as after an exception, nothing may delay it. A forked child is no rank.
    """
    from mpi4py import MPI

    if _aborts or os.getpid() != _process or MPI.Is_finalized():
        return
    comms = _duplicates.copy()
    calls = [_leaving(comm) for comm in comms]
    requests = [next(call) for call in calls]
    while requests:  # at the same time: others may call the optimizers of one communicator before those of another
        i = MPI.Request.Waitany(requests)
        try:
            requests[i] = next(calls[i])
        except StopIteration as end:
            if end.value is None:  # all leave
                for items in (comms, calls, requests):
                    del items[i]
            else:  # the error that a rank raises which has called an optimizer
                calls[i] = _leaving(comms[i])
                requests[i] = next(calls[i])


def _leaving(comm: MPI.Intracomm) -> Agreeing:
    return agreeing(comm, None, {"call": "the end of the program"})
