"""The state of an optimizer: parameter groups, accumulators, the plan of a step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from .. import _core
from ..inputs.aligned import empty_like
from ..inputs.containers import read_group, read_names
from ..inputs.memmap import check_files, mapped_files
from ..inputs.rounding import rounded
from ..inputs.tensors import tensor_hint
from ..inputs.types import Array, Group
from ._lock import Locked
from ._slots import Allocate, Bound, Existing, Pairs, Slot, StateView, all_params, check_allocate, read_state_dtype


class OptimizerState(Locked, ABC):
    """Base of `Copies`. The class of a rule says how a group is read, and which arrays belong to a parameter."""

    _rule: ClassVar[str]  # its name in the core
    _accumulator: ClassVar[str]  # its key in `state`
    _watched_keys: ClassVar[tuple[str, ...]]  # the keys of a group on which the rule's options depend
    _added_keys: ClassVar[tuple[str, ...]] = ()  # further keys of a group, which a user does not give
    _counter: ClassVar[str]  # the step counter's key in `state`, or its name if all parameters share it
    _counter_dtype: ClassVar[type[np.generic] | None] = None  # set if all parameters share a counter
    defaults: Group  # the value of each option that a group does not set
    # Raises an error if arrays lie in tensors of a framework, which have other memory now; set by `migration`.
    _check_shared: Callable[[], None] | None

    def __init__(
        self, groups: list[Group], *, single_param: bool, state_dtype: npt.DTypeLike | None, allocate: Allocate | None
    ) -> None:
        self._single_param = single_param
        self._allocate = allocate
        self._state_dtype = read_state_dtype(state_dtype)
        check_allocate(allocate)
        if self._counter_dtype is not None:
            self._steps: Array = np.zeros(1, self._counter_dtype)
        self._check_shared = None
        self._renew_lock()
        self._bind([self._checked_group(group) for group in groups], {})

    @abstractmethod
    def _checked_group(self, group: Group) -> Group:
        """Fill in a group's defaults, and raise an error for what the rule does not allow."""

    @abstractmethod
    def _new_state(self, param: Array, allocate: Allocate | None) -> dict[str, Array]:
        """Create the state of a parameter that has taken no step; `allocate`, if given, returns the accumulator."""

    def _shared_arrays(self) -> dict[str, Array]:
        """Return the arrays that belong to no single parameter, by name."""
        return {} if self._counter_dtype is None else {self._counter: self._steps}

    def _counters(self, slots: list[Slot]) -> list[Array]:
        """Return the step counters of parameters: one for each, or the one that all share."""
        return list(self._shared_arrays().values())

    def _group_index(self, k: int, group: Group) -> Array:
        """Return the index with which `_hyperparameters` is called for each parameter of group `k`."""
        return np.full(len(group["params"]), k, np.int32)

    # Parameters

    @property
    def param_groups(self) -> list[Group]:
        """The groups: change a value here and the next step uses it."""
        return self._bound.groups

    @param_groups.setter
    def param_groups(self, groups: Any) -> None:
        if groups is not self._bound.groups:  # `+=` assigns the list that it has changed
            raise AttributeError("param_groups: expected the groups to stay, got others; change the list and its dicts")

    @property
    def names(self) -> list[str]:
        """The parameters' names, in flat order; empty if they have none."""
        return [name for group in self._bound.groups for name in group.get("param_names", ())]

    @property
    def state(self) -> StateView:
        """The rule's arrays for each parameter, by its flat index or its name; change them in place."""
        return StateView(self._current_slots, partial(getattr, self, "names"))

    @state.setter
    def state(self, state: Any) -> NoReturn:
        raise AttributeError("state: its arrays cannot be replaced; write into them, or load_state_dict(...)")

    def _current_slots(self) -> list[Slot]:
        """Return the slots in the order that the groups have now, also where an array no longer fits."""
        with self._lock:
            bound = self._bound
            if bound.plan.is_current(bound.groups):
                return bound.slots
            known = bound.known
            params = [id(param) for param in all_params(bound.groups)]
            if not known.keys() >= set(params):
                self._rebind()  # creates the state of new parameters
                return self._bound.slots
            return [known[param] for param in params]

    @property
    def _slots(self) -> list[Slot]:
        return self._bound.slots

    def _bind(self, groups: list[Group], known: dict[int, Slot]) -> None:
        """Check all parameters and make the plan of a step. A parameter without a known slot gets a new state."""
        self._check_groups(groups)
        roles = ("params", self._accumulator, "grads", self._counter)
        plan = _core.Plan(self._rule, roles, self._watched_keys)
        bound = Bound([], {}, [], plan, [], known.copy())
        self._add_groups(bound, groups)
        self._bound = replace(bound, groups=groups)  # the list itself: a user may hold it

    def _check_groups(self, groups: list[Group]) -> None:
        all_params(groups)  # raises an error unless each is a group
        for k, group in enumerate(groups):
            self._check_entries(k, group)

    def _check_entries(self, k: int, group: Group) -> None:
        for key in (*self._watched_keys, *self._added_keys):
            if key not in group:
                raise KeyError(f"param_groups[{k}]: expected an entry {key!r}; add groups with add_param_group")

    def _add_groups(self, bound: Bound, groups: list[Group], *pairs: tuple[Any, Any]) -> None:
        """Check groups and add them to all parts of `bound`, and commit `pairs`, as a whole or not at all."""
        start = len(bound.slots)
        params = all_params(groups, len(bound.groups))
        names = read_names(groups, bound.groups, bound.names)
        try:
            _core.check_params(self._rule, params, list(names), start)
        except TypeError as error:
            if hint := tensor_hint(params):
                raise TypeError(f"{error}{hint}") from None
            raise
        slots = [bound.known.get(id(param)) or self._new_slot(start + i, param) for i, param in enumerate(params)]
        accumulators = [slot.state[self._accumulator] for slot in slots]
        index = [self._group_index(k, group) for k, group in enumerate(groups, len(bound.groups))]
        group_index = np.concatenate([*index, np.zeros(0, np.int32)])
        has_shared_counter = self._counter_dtype is not None and bound.plan.has_counters
        counters = [] if has_shared_counter else self._counters(slots)
        labels = [f"{role}[{start + i}]" for role in ("params", self._accumulator) for i in range(len(params))]
        files = mapped_files(zip(labels, [*params, *accumulators], strict=True))
        parts: Pairs = [(bound.known, {id(slot.param): slot for slot in slots}), (bound.names, names)]
        parts += [(bound.groups, groups), (bound.slots, slots), (bound.files, files)]
        bound.plan.add_groups(groups, accumulators, counters, list(names), group_index, [*parts, *pairs])

    def _new_slot(self, i: int, param: Array) -> Slot:
        slot = Slot(param, self._new_state(param, self._allocate))
        if self._allocate is not None and type(self._allocate) is not Existing:
            # Another plan checks it first, with a name that says where it comes from.
            roles = (f"params[{i}]", f"allocate(params[{i}])", "grads", self._counter)
            accumulator, index = slot.state[self._accumulator], np.zeros(1, np.int32)
            plan = _core.Plan(self._rule, roles, indexed=False)
            plan.add_groups([{"params": [param]}], [accumulator], self._counters([slot]), [], index)
        return slot

    def _forget_removed(self) -> None:
        """Bind the parameters again if some were removed: their names and memory are free."""
        if not self._bound.plan.has_sizes(self._bound.groups):
            self._rebind()

    def _add_group(self, group: Group, *pairs: tuple[Any, Any]) -> None:
        if any(id(param) in self._bound.known for param in group["params"]):
            self._refresh_plan()  # it may have left its group
        bound = self._bound
        bound.plan.call_as_step(lambda: self._add_groups(bound, [group], *pairs))

    def _rebind(self) -> None:
        self._check_reentry(closures=False)
        bound = self._bound
        bound.plan.call_as_step(lambda: self._bind(bound.groups, bound.known))
        self._bound.plan.grad_norm = bound.plan.grad_norm

    def _refresh_plan(self) -> None:
        """Bind the parameters again if they are no longer what they were."""
        if not self._bound.plan.is_current(self._bound.groups):
            self._rebind()

    def _prepare_transfer(self) -> None:
        """Prepare to read or write the whole state: all arrays must be there."""
        self._check_tensors()
        self._refresh_plan()
        check_files(self._bound.files)

    def _check_tensors(self) -> None:
        if self._check_shared is not None:
            self._check_shared()

    def _new_accumulator(self, param: Array, value: complex, argument: str, allocate: Allocate | None) -> Array:
        """Create an accumulator in the layout of its parameter, so that both are walked in the same order.

        `argument` is the constructor's name of `value`.
        """
        dtype = param.dtype if self._state_dtype is None else self._state_dtype
        is_half = param.dtype.itemsize == 2
        if dtype != param.dtype and not (is_half and dtype == np.float32):
            allowed = f"{param.dtype} or float32" if is_half else f"{param.dtype}"
            raise TypeError(f"state_dtype: expected {allowed} for a {param.dtype} parameter, got {dtype}")
        filled = rounded(value, dtype)
        if np.isfinite(value) and not np.isfinite(filled):
            raise ValueError(f"{argument}: expected a number within {dtype}, got {value.real}")
        if allocate is not None:
            return allocate(param, dtype, value)
        accumulator = empty_like(param, dtype)
        _core.fill(accumulator, filled)
        return accumulator

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of parameters, which start with a new state.

        Parameters
        ----------
        param_group : mapping
            ``params``, and the options that differ from the constructor's.

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
            self._check_reentry()
            self._forget_removed()
            group = self._checked_group(read_group(param_group))
            self._add_group(group)
