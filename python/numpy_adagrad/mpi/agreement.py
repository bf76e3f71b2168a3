"""Agreement among ranks: an error of one is raised on all, so that none waits for another."""

from __future__ import annotations

import builtins
import hashlib
import pickle
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..inputs.types import Array
from ..optimizers._base import Optimizer
from .rows import as_bytes, offsets

if TYPE_CHECKING:
    from mpi4py import MPI

DEFAULT_REPR: Any = object.__repr__  # it shows an address, which differs between processes

_half_done: list[MPI.Intracomm] = []
"""The communicators of the steps in which this process is, and which an interrupt would leave half done."""

Facts: TypeAlias = dict[str, str]
"""What all ranks must have in common, as text by its name in messages."""

Description: TypeAlias = tuple[str, tuple[Any, ...], str, tuple[Any, ...]]
"""An error: the name of its class, the arguments before the message, the message, and the arguments after it."""


@contextmanager
def agreement(comm: MPI.Intracomm, call: str) -> Iterator[Facts]:
    """At the end of the block, raise the same error on every rank unless all agree.

    They agree if all are in the same call, no block has raised an error, and all have put the same facts into the dict.
    """
    if comm in _half_done:
        raise RuntimeError(f"{call}: called from inside a step, which is half done; call it after the step")
    facts: Facts = {"call": call}
    error: Exception | None = None
    try:
        yield facts
    except StopIteration as caught:  # a generator, such as this one, cannot raise it
        error = RuntimeError("next() found no item (StopIteration)")
        error.__cause__ = caught
    except Exception as caught:
        error = caught
    for request in agreeing(comm, error, facts):
        request.Wait()


@contextmanager
def past_agreement(comm: MPI.Intracomm, ending: type[BaseException] = Exception) -> Iterator[None]:
    """End the job at an error in the block, such as a lack of memory: the others have no call left to learn of it.

    A FloatingPointError is that of `on_nonfinite`, which all ranks raise.
    """
    try:
        yield
    except FloatingPointError:
        raise
    except ending:
        if comm.size == 1:
            raise
        traceback.print_exc()
        sys.stdout.flush()
        comm.Abort(1)


@contextmanager
def half_done(comm: MPI.Intracomm) -> Iterator[None]:
    """End the job also at an interrupt in the block, which does half a step; other calls meanwhile raise an error."""
    _half_done.append(comm)
    try:
        with past_agreement(comm, BaseException):
            yield
    finally:
        _half_done.remove(comm)


def agreeing(comm: MPI.Intracomm, error: Exception | None, facts: Facts) -> Iterator[MPI.Request]:
    """Yield one request after another to wait for; at the end raise the same error on every rank unless all agree.

    The ranks reduce 24 bytes; only if this finds a difference, they exchange their facts. Nothing here blocks, so that
    a rank that ends can wait for the ranks of several communicators at a time.
    """
    from mpi4py import MPI

    digest = int.from_bytes(hashlib.blake2b(repr(sorted(facts.items())).encode(), digest_size=7).digest(), "little")
    own = np.array([error is not None, digest, -digest], np.int64)
    largest = np.empty_like(own)
    yield comm.Iallreduce(own, largest, MPI.MAX)
    if largest[0] == 0 and largest[1] == -largest[2]:
        return
    described = None if error is None else _description(error)
    pickled = np.frombuffer(pickle.dumps((described, facts)), np.uint8)
    sizes = np.empty(comm.size, np.int64)
    yield comm.Iallgather(np.array([pickled.size], np.int64), sizes)
    gathered = np.empty(sizes.sum(), np.uint8)
    yield comm.Iallgatherv([pickled, MPI.BYTE], [gathered, (sizes, offsets(sizes)), MPI.BYTE])
    everyone = [pickle.loads(part.tobytes()) for part in np.split(gathered, offsets(sizes)[1:])]
    for rank, (failure, _) in enumerate(everyone):
        if failure is not None:
            raise _error(rank, *failure) from error
    raise ValueError(_difference([found for _, found in everyone]))


def _description(error: Exception) -> Description:
    kind = type(error)
    if isinstance(error, OSError) and error.errno is not None and kind.__module__ == "builtins":
        names = error.filename, error.filename2
        if all(isinstance(name, (str, bytes, type(None))) for name in names):
            return kind.__name__, (error.errno,), error.strerror or "no message", (names[0], None, names[1])
    # str quotes the message of a KeyError
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    return kind.__name__, (), text or "no message", ()


def _error(rank: int, name: str, before: tuple[Any, ...], text: str, after: tuple[Any, ...]) -> Exception:
    """Return an error of Python's own class of this name, or a RuntimeError: other classes may not exist elsewhere."""
    kind, message = getattr(builtins, name, RuntimeError), f"rank {rank}: {text}"
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


def option_facts(**options: Any) -> Facts:
    """Return arguments as text, by name, without callables: `allocate` may open another file on each rank."""
    return {name: _text(value) for name, value in options.items() if not callable(value)}


def optimizer_facts(optimizer: Optimizer, params: Sequence[Array]) -> Facts:
    """Return the class, options and number of steps of an optimizer, and the names, shapes and dtypes of `params`."""
    with optimizer._lock:
        slots = optimizer._current_slots()
        facts = {"optimizer": type(optimizer).__name__, "params": f"{len(slots)} arrays"}
        facts["names"] = repr(optimizer.names)
        labels = array_labels("params", len(params), optimizer.names)
        facts |= {label: f"{array.shape} {array.dtype}" for label, array in zip(labels, params, strict=True)}
        for k, group in enumerate(optimizer.param_groups):
            facts[f"param_groups[{k}]"] = f"{len(group['params'])} arrays"
            known = {*optimizer.defaults, *optimizer._watched_keys}  # others, which the rule does not read, may differ
            facts |= {f"param_groups[{k}][{key!r}]": _text(value) for key, value in group.items() if key in known}
        facts |= {key: _text(value) for key, value in optimizer._rule_options.items()}
        facts |= {key: _text(value) for key, value in optimizer._fixed_options().items()}
        dtypes = [str(slot.state[optimizer._accumulator].dtype) for slot in slots]
        facts["accumulators"] = repr(dtypes)
        facts["steps"] = repr([counter.tolist() for counter in optimizer._counters(slots)])
    return facts


def array_labels(role: str, count: int, names: Sequence[str]) -> list[str]:
    """Return what messages call arrays, such as ``grads[0] ('W')``."""
    return [f"{role}[{i}]" + (f" ({names[i]!r})" if names else "") for i in range(count)]


def value_facts(role: str, arrays: Iterable[Array]) -> Facts:
    """Return a digest of the values of arrays."""
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(as_bytes(array).data)
    return {f"values of {role}": digest.hexdigest()}


def _text(value: Any) -> str:
    """Return an option as text that is the same in every process; a schedule with its numbers, a function by name."""
    if isinstance(value, np.ndarray):
        return repr(value.tolist())
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{key!r}: {_text(item)}" for key, item in value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(map(_text, value))) + "}"
    if isinstance(value, partial):
        return f"partial({_text(value.func)}, {_text(value.args)}, {_text(value.keywords)})"
    if is_dataclass(value) and not isinstance(value, type):
        options = {field.name: getattr(value, field.name, None) for field in fields(value)}
        options |= getattr(value, "__dict__", {})  # one with slots has none
        text = ", ".join(f"{name}={_text(option)}" for name, option in options.items())
        return f"{type(value).__qualname__}({text})"
    if callable(value) or type(value).__repr__ is DEFAULT_REPR:
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    return repr(value)
