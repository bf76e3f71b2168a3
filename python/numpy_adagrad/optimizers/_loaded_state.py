"""Loading of state dicts, for any rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..inputs.containers import read_names
from ..inputs.hints import other_layout
from ..inputs.rounding import rounded
from ..inputs.tensors import to_array
from ..inputs.types import Array, Group
from ..inputs.validation import cast_like, check_dict, check_hashable, check_list, flag, number, step_count
from ._saved_state import SavedState
from ._slots import Pairs, Slot, all_params, place_of


class LoadedState(SavedState):
    """Base of `Checkpoints`. The class of a rule may change the layout of the state dicts that it loads."""

    _required_keys: ClassVar[tuple[str, ...]]  # the numbers that a saved group must have
    _kept_keys: ClassVar[tuple[str, ...]] = ("params", "param_names")  # of a group: loading leaves them alone

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
            place_of(k, groups[k], key): (groups[k][key], number(to_array(saved[key], key), key))
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
