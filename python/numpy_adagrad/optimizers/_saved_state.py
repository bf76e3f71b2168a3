"""State dicts, for any rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import chain, islice
from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..inputs.containers import read_names
from ..inputs.hints import other_layout
from ..inputs.rounding import ieee, rounded
from ..inputs.tensors import identity, option_to_tensor, to_array, to_tensor
from ..inputs.types import Array, Group
from ..inputs.validation import (
    cast_like,
    check_dict,
    check_flag,
    check_hashable,
    check_list,
    flag,
    is_schedule,
    number,
    step_count,
)
from ._copies import Copies
from ._slots import Pairs, Slot, all_params


class SavedState(Copies):
    """Base of `Checkpoints`. The class of a rule may change the layout of its state dicts."""

    _scheduled_keys: ClassVar[tuple[str, ...]] = ()  # the options that may be callables
    _required_keys: ClassVar[tuple[str, ...]]  # the numbers that a saved group must have
    _kept_keys: ClassVar[tuple[str, ...]] = ("params", "param_names")  # of a group: loading leaves them alone
    _last_scheduled: dict[tuple[int, str], tuple[Any, float]]  # each callable and its last value, by group and option

    @ieee()
    def _saved_value(self, k: int, key: str) -> Any:
        """Return an option of group `k`; for a callable its last value, or that of `_last_step` if it was never called.

        A callable that asks for its own first value gets NaN.
        """
        value, place = self._bound.groups[k][key], (k, key)
        if not is_schedule(value, key):
            return value
        for known in chain([place], self._last_scheduled):  # groups may stand in another order now
            schedule, last = self._last_scheduled.get(known, (None, math.nan))
            if schedule is value and known[1] == key:
                return last
        if place in self._evaluated:
            return math.nan
        self._evaluated.add(place)
        try:
            return number(value(self._last_step(k)), key)
        finally:
            self._evaluated.discard(place)

    def _last_step(self, k: int) -> int:
        """Return the number with which the last step would have called a callable that is new in group `k`."""
        known = self._bound.known
        slots = [known[id(param)] for param in self._bound.groups[k]["params"] if id(param) in known]
        counts = [float(counter.flat[0]) for counter in self._counters(slots)]
        return int(max((count for count in counts if 1 <= count < math.inf), default=1)) - 1

    @property
    def last_lr(self) -> list[float]:
        """The learning rate of each group: its number, or the last value of its callable. Without `lr_decay`."""
        with self._lock:
            key = self._scheduled_keys[0]
            return [self._last_rate(self._saved_value(k, key)) for k in range(len(self.param_groups))]

    def _last_rate(self, rate: Any) -> float:
        return number(rate, "lr")

    def _saved_groups(self) -> list[Group]:
        """Return the options of each group, a callable as its last value."""
        return [
            {
                key: self._saved_value(k, key) if key in self._scheduled_keys else value
                for key, value in group.items()
                if key != "params"
            }
            for k, group in enumerate(list(self.param_groups))
        ]

    def _check_saved(self, saved: list[Group]) -> list[int]:
        """Return the sizes of the groups whose options are `saved`.

        Raise RuntimeError if the groups are others by now: schedules were called, which may change them.
        """
        self._refresh_plan()
        sizes = [len(group["params"]) for group in self.param_groups]
        if len(sizes) != len(saved) or sum(sizes) != len(self._slots):
            raise RuntimeError("param_groups: expected the same groups while the state is read, got others")
        return sizes

    def state_dict(self, *, tensors: bool = False) -> dict[str, Any]:
        """Return state and options in the layout of ``torch.optim.Optimizer.state_dict``.

        Parameters
        ----------
        tensors : bool, default False
            Copy the arrays into contiguous CPU tensors of torch. Otherwise they are the arrays that the next step
            changes.

        Returns
        -------
        dict
            ``state``: for each parameter's index, the rule's arrays. ``param_groups``: the options of each group and
            the indices of its parameters; a callable appears as its last value. Arrays that all parameters share, such
            as a step counter, have their own entries.
        """
        check_flag("tensors", tensors)
        with self._lock:
            self._check_tensors()
            self._refresh_plan()
            convert = to_tensor if tensors else identity
            convert_option = option_to_tensor if tensors else identity
            saved_groups = self._saved_groups()
            sizes = self._check_saved(saved_groups)
            groups: list[Group] = []
            indices = iter(range(len(self._slots)))
            for saved, size in zip(saved_groups, sizes, strict=True):
                options = {key: convert_option(value) for key, value in saved.items()}
                groups.append({**options, "params": list(islice(indices, size))})
            shared = {key: convert(array) for key, array in self._shared_arrays().items()}
            state = {
                i: {key: convert(array) for key, array in slot.state.items()} for i, slot in enumerate(self._slots)
            }
            return {**shared, "state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load state and options from a state dict.

        If the state dict and the optimizer have names, parameters and groups are matched by name, otherwise by
        position. An optimizer without names takes those of the state dict, as in torch.

        Arrays and tensors are copied, accumulators cast to the dtype that they have here, where a value beyond it
        becomes infinite, and a parameter without an entry starts with a new state, as in torch. Callable options stay
        in place.

        Parameters
        ----------
        state_dict : mapping
            As `state_dict` returns it, with arrays or tensors.

        Raises
        ------
        KeyError, ValueError, TypeError
            For an entry that is missing or does not fit; nothing has changed then.
        """
        with self._lock:
            self._check_reentry()
            self._prepare_transfer()
            _core.commit(self._loading_pairs(state_dict))

    def _loading_pairs(self, state_dict: Mapping[str, Any]) -> Pairs:
        """Check a state dict; return all that loading it writes."""
        shared = self._shared_arrays()
        check_dict("state_dict", state_dict)
        expected = (*shared, "state", "param_groups")
        for key in expected:
            if key not in state_dict:
                raise KeyError(f"state_dict: expected an entry {key!r}{other_layout(state_dict, expected)}")
        state, saved_groups = state_dict["state"], state_dict["param_groups"]
        check_dict("state", state)
        check_list("param_groups", saved_groups)
        all_params(saved_groups)  # raises an error unless each is a group
        for k, saved in enumerate(saved_groups):
            for key in saved["params"]:
                check_hashable(f"param_groups[{k}]['params']", key)
        if len(saved_groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any("param_names" in saved for saved in saved_groups):
            saved_groups = self._matched_groups(saved_groups)
        groups = [self._loaded_group(k, saved) for k, saved in enumerate(saved_groups)]
        keys = all_params(saved_groups)
        known = set(keys)
        for key in state:
            if key not in known:
                raise ValueError(f"state: expected entries for the parameters of the groups, got {key!r}")
        last = {
            (k, key): (groups[k][key], number(to_array(saved[key], key), key))
            for k, saved in enumerate(saved_groups)
            for key in self._scheduled_keys
        }
        pairs: Pairs = [(self.__dict__, {"_bound": replace(self._bound, groups=groups), "_last_scheduled": last})]
        pairs += [(array, self._loaded_array(key, state_dict[key], array, key)) for key, array in shared.items()]
        for i, (key, slot) in enumerate(zip(keys, self._slots, strict=True)):
            saved = {} if state.get(key) is None else state[key]
            check_dict(f"state[{i}]", saved)
            loaded = self._loaded_state(i, slot, saved) if saved else self._new_state(slot.param, _repeated)
            pairs += [(slot.state[role], loaded[role]) for role in slot.state]
        return pairs

    def _matched_groups(self, saved_groups: Sequence[Group]) -> Sequence[Group]:
        """Check the names of saved groups; bring groups and parameters into the order here if that has names too."""
        keys = dict(zip(read_names(saved_groups), all_params(saved_groups), strict=True))
        if not self.names:
            return saved_groups
        from ..checkpoint.content import match

        sizes = [len(group["params"]) for group in self.param_groups]
        names, order = match(self.names, sizes, [list(saved["param_names"]) for saved in saved_groups], named=True)
        remaining = iter(names)
        return [
            {**saved_groups[k], "params": [keys[next(remaining)] for _ in range(size)]}
            for k, size in zip(order, sizes, strict=True)
        ]

    def _loaded_group(self, k: int, saved: Mapping[str, Any]) -> Group:
        """Return group `k` with the options of a saved group, all of them checked."""
        own = self.param_groups[k]
        if len(own["params"]) != len(saved["params"]):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        options = {
            key: to_array(value, f"param_groups[{k}][{key!r}]")
            for key, value in saved.items()
            if key not in self._kept_keys
        }
        for key in self._required_keys:
            if key not in options:
                raise KeyError(f"param_groups[{k}]: expected an entry {key!r}")
            number(options[key], f"param_groups[{k}][{key!r}]")
        for key in self._watched_keys:
            if key not in self._required_keys:
                flag(options.get(key), f"param_groups[{k}][{key!r}]")
        for key, value in options.items():
            kept = own.get(key)
            options[key] = kept if callable(kept) else _copied(value, f"param_groups[{k}][{key!r}]")
        if "param_names" in saved and "param_names" not in own:
            options["param_names"] = list(saved["param_names"])
        return {**own, **options}

    def _loaded_array(self, key: str, value: Any, array: Array, label: str) -> Array:
        """Check what is loaded into an array; return it in that array's shape and dtype."""
        if key == self._counter:
            return np.full_like(array, step_count(value, label, array.dtype))
        return cast_like(to_array(value, label), array, label)

    def _loaded_state(self, i: int, slot: Slot, saved: Mapping[str, Any]) -> dict[str, Array]:
        for key in slot.state:
            if key not in saved:
                raise KeyError(f"state[{i}]: expected an entry {key!r}")
        return {
            key: self._loaded_array(key, saved[key], array, f"state[{i}][{key!r}]") for key, array in slot.state.items()
        }


def _repeated(param: Array, dtype: np.dtype[Any], value: complex) -> Array:
    """Return one element for all, without a new array: `allocate` could clear the file of the accumulator in use."""
    return np.broadcast_to(rounded(value, dtype), param.shape)


def _copied(value: Any, label: str) -> Any:
    try:
        return deepcopy(value)
    except MemoryError:
        raise
    except Exception as error:
        raise TypeError(f"{label}: expected a value that can be copied, got {type(value).__name__}: {error}") from error
