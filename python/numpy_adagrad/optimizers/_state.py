"""What an optimizer keeps: groups, parameters and their state, the plan of a step, a lock; its copies."""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import _core
from ..inputs.containers import read_group, read_names
from ..inputs.memmap import MappedFile, check_files, mapped_files
from ..inputs.types import Array, Group

Allocate: TypeAlias = Callable[[Array, "np.dtype[Any]", complex], Array]


class Slot(NamedTuple):
    """A parameter and the arrays that its rule keeps for it."""

    param: Array
    state: dict[str, Array]


class Keeper(ABC):
    """Base of `Optimizer`. A rule's class says how a group is read, and which arrays are kept for a parameter."""

    _rule: ClassVar[str]
    _accumulator: ClassVar[str]  # its key in `state`
    _fields: ClassVar[tuple[str, ...]]  # the keys of a group that the core compares
    _busy: bool
    _plan: _core.Plan
    _which: Array
    _files: list[MappedFile]

    names: list[str]
    """The parameters' names, in flat order; empty if they have none."""

    state: Mapping[int, Mapping[str, Array]]
    """The rule's arrays for each parameter, by its flat index; change them in place."""

    param_groups: list[Group]
    """The groups: change a value here and the next step uses it."""

    def __init__(
        self, groups: list[Group], *, bare: bool, state_dtype: npt.DTypeLike | None, allocate: Allocate | None
    ) -> None:
        self._bare = bare
        self._allocate = allocate
        self._state_dtype = None if state_dtype is None else np.dtype(state_dtype)
        self._skipped_steps = 0
        self._last_used: dict[tuple[int, str], float] = {}  # what callables gave, by group and option
        self._slots: list[Slot] = []
        self.param_groups = [self._checked_group(group) for group in groups]
        self._renew_lock()
        self._rebuild()

    @abstractmethod
    def _checked_group(self, group: Group) -> Group:
        """Fill a group's defaults and refuse what the rule does not allow."""

    @abstractmethod
    def _new_state(self, param: Array) -> dict[str, Array]:
        """Make the state of a parameter that has taken no step."""

    @abstractmethod
    def _counters(self, slots: list[Slot]) -> list[Array]:
        """Return the step counters as the core takes them."""

    def _rebuild(self, groups: list[Group] | None = None) -> None:
        """Check all parameters, of `groups` if given, and plan for them.

        An array that is new among them starts with a new state.
        """
        groups = self.param_groups if groups is None else groups
        params = [param for group in groups for param in group["params"]]
        names = read_names(groups)
        _core.check_params(self._rule, params, tuple(names))
        known = {id(slot.param): slot for slot in self._slots}
        slots = [known.get(id(param)) or Slot(param, self._new_state(param)) for param in params]
        sums = [slot.state[self._accumulator] for slot in slots]
        roles = ("params", self._accumulator, "grads")
        labels = [f"{role}[{i}]" for role in ("params", self._accumulator) for i in range(len(params))]
        plan = _core.Plan(self._rule, params, sums, self._counters(slots), tuple(names), roles, self._fields)
        self.__dict__.update(
            param_groups=groups,
            names=names,
            state=MappingProxyType({i: MappingProxyType(slot.state) for i, slot in enumerate(slots)}),
            _slots=slots,
            _plan=plan,
            _files=mapped_files(zip(labels, [*params, *sums], strict=True)),
            _which=self._choose(groups, names),
        )

    def _settle(self) -> None:
        """Plan anew if the parameters are no longer what they were."""
        if not self._plan.is_current(self.param_groups):
            self._rebuild()

    def _make_ready(self) -> None:
        """Prepare for a call that reads or writes all state: none may be under way, all arrays must be there."""
        self._refuse_reentry()
        self._settle()
        check_files(self._files)

    def _choose(self, groups: list[Group], names: list[str]) -> Array:
        """For each parameter, the index of what `_hypers` asks for it: that of its group."""
        return np.repeat(np.arange(len(groups), dtype=np.int32), [len(group["params"]) for group in groups])

    def _full_like(self, param: Array, value: complex) -> Array:
        """Make an accumulator; it has the parameter's layout, so that both are walked alike."""
        dtype = param.dtype if self._state_dtype is None else self._state_dtype
        is_half = param.dtype.itemsize == 2
        if dtype != param.dtype and not (is_half and dtype == np.float32):
            allowed = f"{param.dtype} or float32" if is_half else f"{param.dtype}"
            raise TypeError(f"state_dtype: expected {allowed} for a {param.dtype} parameter, got {dtype}")
        if self._allocate is not None:
            return self._allocate(param, dtype, value)
        order: Literal["C", "F"] = "F" if param.flags.fnc else "C"
        state = np.empty(param.shape, dtype, order)
        _core.fill(state, np.array(value, dtype))
        return state

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of parameters, which start with a new state.

        Parameters
        ----------
        param_group : mapping
            ``params`` and, where they shall differ from the constructor's, the group's own options.

        Raises
        ------
        TypeError, ValueError, KeyError
            As the constructor does; nothing is added then.

        Examples
        --------
        >>> import numpy as np
        >>> from numpy_adagrad import TorchAdagrad
        >>> opt = TorchAdagrad([np.zeros(3)], lr=0.1)
        >>> opt.add_param_group({"params": [np.zeros(2)], "lr": 0.01})
        >>> [group["lr"] for group in opt.param_groups]
        [0.1, 0.01]
        """
        if not isinstance(param_group, Mapping):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        with self._lock:
            self._refuse_reentry()
            group = self._checked_group(read_group(param_group))
            self._rebuild([*self.param_groups, group])

    # One at a time

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()
        self._busy = False
        _keepers[id(self)] = weakref.ref(self)

    def _refuse_reentry(self) -> None:
        if self._busy:
            raise RuntimeError(f"{type(self).__name__}: called from inside one of its own steps")

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        made_anew = ("_lock", "_plan", "_busy", "_files", "state")
        with self._lock:
            return {key: value for key, value in self.__dict__.items() if key not in made_anew}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._renew_lock()
        self._rebuild()


# No WeakSet: it runs bytecode when an optimizer dies, where a Ctrl-C would be lost. An address is used again, so
# that the dead do not add up.
_keepers: dict[int, weakref.ref[Keeper]] = {}


def _renew_locks() -> None:
    # A thread that held a lock when the process forked does not exist in the child.
    for reference in list(_keepers.values()):
        keeper = reference()
        if keeper is not None:
            keeper._renew_lock()


os.register_at_fork(after_in_child=_renew_locks)
