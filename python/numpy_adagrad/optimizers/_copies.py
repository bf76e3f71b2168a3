"""Copies and pickles of optimizers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..inputs.memmap import check_files
from ..inputs.types import Array
from ._slots import Place, Slot, all_params, place_of
from ._state import OptimizerState


class Copies(OptimizerState):
    """Base of `SavedState`: what `copy.deepcopy` and `pickle` copy."""

    _scheduled_keys: ClassVar[tuple[str, ...]] = ()  # the options that may be callables
    _scheduled: dict[Place, tuple[Any, float]]  # each callable and its value in the step that runs, or that ran last
    _last_scheduled: dict[Place, tuple[Any, float]]  # the same of the last step that was done
    _checked_values: dict[tuple[int, str, int], float] | None  # see `_calling_schedules_once`

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            self._check_tensors()
            check_files(self._bound.files)
            own = {"_lock", "_closures", "_evaluated", "_bound", "_check_shared"}
            own |= {"_scheduled", "_last_scheduled", "_checked_values"}
            all_params(self.param_groups)  # raises an error unless each is a group
            # Copies of dicts and lists, as another thread may change them while they are pickled.
            kept = {key: value for key, value in _copied(self.__dict__).items() if key not in own}
            groups = [_copied(group) for group in self.param_groups]
            # Each parameter once: joblib.dump writes an array as often as it is named.
            removed = self._bound.known.copy()
            slots = [removed.pop(id(param), None) for group in groups for param in group["params"]]
            states = [slot and slot.state for slot in slots]
            last = {
                (k, key): known
                for k, group in enumerate(groups)
                for key in self._scheduled_keys
                if (known := self._last_scheduled.get(place_of(k, group, key))) and known[0] is group[key]
            }
            return {**kept, "groups": groups, "states": states, "removed": list(removed.values()), "last": last}

    def __setstate__(self, state: dict[str, Any]) -> None:
        groups, states, removed, last = (state.pop(key) for key in ("groups", "states", "removed", "last"))
        own = _Owned()
        for options in (*groups, *(value for value in state.values() if isinstance(value, dict))):
            options.update({key: own(value) for key, value in options.items()})
        for group in groups:
            group["params"] = [own(param) for param in group["params"]]
        params = [param for group in groups for param in group["params"]]
        slots = [
            Slot(own(param), {key: own(array) for key, array in arrays.items()})
            for param, arrays in (*zip(params, states, strict=True), *removed)
            if arrays is not None
        ]
        self.__dict__.update({key: own(value) for key, value in state.items()})
        self._check_shared = None  # a copy has its own arrays
        self._scheduled, self._checked_values = {}, None
        self._renew_lock()
        self._bind(groups, {id(slot.param): slot for slot in slots})
        self._last_scheduled = {place_of(k, groups[k], key): known for (k, key), known in last.items()}


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.copy() if type(value) in (dict, list) else value for key, value in values.copy().items()}


class _Owned:
    """Copy the arrays that arrive read-only or misaligned, as joblib, Ray and Dask send them, each of them once."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Array, Array]] = {}  # with the originals, so that no other gets their ids

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray) or value.flags.behaved:
            return value
        if id(value) not in self._copies:
            self._copies[id(value)] = value, np.array(value, subok=False)
        return self._copies[id(value)][1]
