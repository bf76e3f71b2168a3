"""Calls that all ranks make together: an error of one is raised on all, so that none waits for another."""

from __future__ import annotations

import builtins
import hashlib
import pickle
import sys
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .facts import Facts
from .rows import offsets

if TYPE_CHECKING:
    from mpi4py import MPI

    Agreeing: TypeAlias = Generator[MPI.Request, None, Exception | None]

Description: TypeAlias = tuple[str, tuple[Any, ...], str, tuple[Any, ...]]
"""An error: the name of its class, the arguments before the message, the message, and the arguments after it."""

_running: list[CollectiveCall] = []


class CollectiveCall:
    """A call that all ranks make together: they agree, and then they exchange data.

    Once the messages of a call are on their way, an exception on one rank, such as an interrupt, ends the job: the
    others cannot learn of it, and a step may be half done. Only a FloatingPointError, the one of `on_nonfinite`, does
    not: all ranks raise it.
    """

    def __init__(self, comm: MPI.Intracomm, number: int, name: str) -> None:
        """`number` is that of the optimizer on the communicator."""
        self.comm, self._name = comm, name
        self._facts = {"call": name, "optimizer, in the order of construction": str(number)}
        self._exchanges = False

    def __enter__(self) -> CollectiveCall:
        if not self.comm:
            raise ValueError(f"{self._name}: expected a communicator, got one that has been freed")
        for other in _running:
            if other._exchanges and other.comm == self.comm:
                text = f"called from inside {other._name}, which is half done; call it afterwards"
                raise RuntimeError(f"{self._name}: {text}")
        _running.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _running.remove(self)
        if error is None or isinstance(error, FloatingPointError) or not self._exchanges or self.comm.size == 1:
            return
        traceback.print_exception(kind, error, trace)
        sys.stdout.flush()
        self.comm.Abort(1)

    @contextmanager
    def agreement(self) -> Iterator[Facts]:
        """At the end of the block, raise the same error on every rank unless all agree.

        They agree if all are in the same call of the same optimizer, no block has raised an error, and all have put the
        same facts into the dict.
        """
        facts = dict(self._facts)
        error: Exception | None = None
        self._exchanges = False
        try:
            yield facts
        except StopIteration as caught:  # a generator, such as this one, cannot raise it
            error = RuntimeError("next() found no item (StopIteration)")
            error.__cause__ = caught
        except Exception as caught:
            error = caught
        described = None if error is None else _description(error)
        self._exchanges = True
        failure = _waiting(agreeing(self.comm, described, facts))
        if failure is not None:
            self._exchanges = False
            raise failure from error


def _waiting(requests: Agreeing) -> Exception | None:
    while True:
        try:
            next(requests).Wait()
        except StopIteration as end:
            failure: Exception | None = end.value
            return failure


def agreeing(comm: MPI.Intracomm, described: Description | None, facts: Facts) -> Agreeing:
    """Yield one request after another to wait for; return the error to raise, the same on every rank, or None.

    The ranks reduce 24 bytes; only if this finds a difference, they exchange their facts. Nothing here blocks, so that
    a rank that ends can wait for the ranks of several communicators at a time.
    """
    from mpi4py import MPI

    digest = int.from_bytes(hashlib.blake2b(repr(sorted(facts.items())).encode(), digest_size=7).digest(), "little")
    own = np.array([described is not None, digest, -digest], np.int64)
    largest = np.empty_like(own)
    yield comm.Iallreduce(own, largest, MPI.MAX)
    if largest[0] == 0 and largest[1] == -largest[2]:
        return None
    pickled = np.frombuffer(pickle.dumps((described, facts)), np.uint8)
    sizes = np.empty(comm.size, np.int64)
    yield comm.Iallgather(np.array([pickled.size], np.int64), sizes)
    gathered = np.empty(sizes.sum(), np.uint8)
    yield comm.Iallgatherv([pickled, MPI.BYTE], [gathered, (sizes, offsets(sizes)), MPI.BYTE])
    everyone = [pickle.loads(part.tobytes()) for part in np.split(gathered, offsets(sizes)[1:])]
    for rank, (failure, _) in enumerate(everyone):
        if failure is not None:
            return _error(rank, *failure)
    return ValueError(_difference([found for _, found in everyone]))


def _description(error: Exception) -> Description:
    kind = type(error)
    if isinstance(error, OSError) and error.errno is not None and kind.__module__ == "builtins":
        names = error.filename, error.filename2
        if all(isinstance(name, (str, bytes, type(None))) for name in names):
            return kind.__name__, (error.errno,), error.strerror or "no message", (names[0], None, names[1])
    try:
        # str quotes the message of a KeyError
        text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    except Exception:
        text = ""
    return kind.__name__, (), text or "no message", ()


def _error(rank: int, name: str, before: tuple[Any, ...], text: str, after: tuple[Any, ...]) -> Exception:
    """Return an error of Python's own class of this name, or a RuntimeError: other classes may not exist elsewhere."""
    kind, message = getattr(builtins, name, None), f"rank {rank}: {text}"
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return RuntimeError(message)
    try:
        return kind(*before, message, *after)
    except TypeError:  # such as UnicodeDecodeError, which is made of more than a message
        return RuntimeError(f"{message} ({name})")


def _difference(facts: list[Facts]) -> str:
    """Return the message about the first fact in which a rank differs from rank 0."""
    for label in {label: None for found in facts for label in found}:
        first = facts[0].get(label, "none")
        for rank, found in enumerate(facts):
            other = found.get(label, "none")
            if other != first:
                return f"{label}: expected the same on every rank, got {first} on rank 0 and {other} on rank {rank}"
    raise AssertionError("two equal sets of facts have different digests")
