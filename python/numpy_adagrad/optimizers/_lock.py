"""The lock of an optimizer: one call at a time, and none from inside another."""

from __future__ import annotations

import os
import threading
import weakref

from ._slots import Bound


class Locked:
    """Base of `OptimizerState`."""

    _bound: Bound

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()
        self._closures: set[int] = set()  # the threads that run a closure
        self._evaluated: set[tuple[int, str]] = set()  # the options whose callables run for `_saved_value`
        _optimizers[id(self)] = weakref.ref(self)

    def _check_reentry(self, *, closures: bool = True) -> None:
        """Raise RuntimeError inside a step, `allocate`, or a closure of this thread: none may change the optimizer."""
        in_closure = closures and self._closures and threading.get_ident() in self._closures
        if in_closure or self._bound.plan.is_stepping:
            raise RuntimeError(f"{type(self).__name__}: called from inside its own step or allocate")


# Not a WeakSet: it runs bytecode when an optimizer dies, and a Ctrl-C would be lost there. Addresses are reused, so
# that dead references do not accumulate.
_optimizers: dict[int, weakref.ref[Locked]] = {}


def _renew_locks() -> None:
    # A thread that held a lock when the process forked does not exist in the child.
    for reference in list(_optimizers.values()):
        optimizer = reference()
        if optimizer is not None:
            optimizer._renew_lock()


os.register_at_fork(after_in_child=_renew_locks)
