"""The parameters of an optimizer and the arrays that belong to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, TypeAlias

import numpy as np

from .. import _core
from ..inputs.memmap import MappedFile
from ..inputs.types import Array, Group
from ..inputs.validation import check_callable, check_dict, check_list

Allocate: TypeAlias = Callable[[Array, "np.dtype[Any]", complex], Array]
Pairs: TypeAlias = list[tuple[Any, Any]]
"""Pairs for `_core.commit`, a target and its new content: (array, array), (dict, dict) and (list, list)."""


Place: TypeAlias = tuple[int, str]
"""Where the value of an option of a group is kept: see `place_of`."""


class Slot(NamedTuple):
    """A parameter and the arrays that its rule keeps for it."""

    param: Array
    state: dict[str, Array]


@dataclass(frozen=True, slots=True)
class Bound:
    """The parameters, and all that is derived from them. It is replaced as a whole, by one assignment."""

    groups: list[Group]
    names: dict[str, int]
    """The flat index of each parameter, by name; empty if the parameters have no names."""
    slots: list[Slot]
    plan: _core.Plan
    files: list[MappedFile]
    known: dict[int, Slot]
    """All slots by the id of the parameter, also of those in no group now: if they come back, they continue."""


def place_of(k: int, group: Group, key: str) -> Place:
    """Return the place of an option of group `k`: by its first parameter, as groups may change their order."""
    params = group["params"]
    return id(params[0]) if params else ~k, key


class StateArrays(Mapping[str, Array]):
    """The arrays of one parameter, read-only as a mapping; the arrays may be written to, also by ``+=``."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        self._arrays = arrays

    def __getitem__(self, key: str) -> Array:
        return self._arrays[key]

    def __setitem__(self, key: str, array: Array) -> None:
        if array is not self._arrays.get(key):  # `+=` assigns the array that it has written to
            cure = f"write into them, as state[0][{key!r}][...] = ... does"
            raise TypeError(f"state: its arrays cannot be replaced; {cure}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return repr(self._arrays)


class StateView(Mapping[int, StateArrays]):
    """The arrays of each parameter by its flat index or name, read-only as a mapping; the arrays may be written to."""

    def __init__(self, slots: Callable[[], Sequence[Slot]], names: Callable[[], list[str]]) -> None:
        self._slots, self._names = slots, names

    def __getitem__(self, index: int | str) -> StateArrays:
        slots = self._slots()
        if isinstance(index, (int, np.integer)):
            found = int(index)
        else:
            try:
                found = {name: i for i, name in enumerate(self._names())}.get(index, -1)
            except TypeError:  # not hashable, as the parameter itself, by which torch finds a state
                found = -1
        if not 0 <= found < len(slots):
            got = type(index).__name__ if isinstance(index, np.ndarray) else repr(index)
            raise KeyError(f"state: expected an index below {len(slots)} or the name of a parameter, got {got}")
        return StateArrays(slots[found].state)

    def __setitem__(self, index: int | str, state: Any) -> NoReturn:
        raise TypeError("state: its arrays cannot be replaced; write into them, or load_state_dict(...)")

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._slots())))

    def __len__(self) -> int:
        return len(self._slots())

    def __repr__(self) -> str:
        return repr({index: slot.state for index, slot in enumerate(self._slots())})


class Existing(dict[int, Array]):
    """An `allocate` that returns the array of a parameter's id: an accumulator that exists already."""

    def __call__(self, param: Array, dtype: np.dtype[Any], value: complex) -> Array:
        return self[id(param)]


def read_state_dtype(value: Any) -> np.dtype[Any] | None:
    """Check and convert `state_dtype`. Whether it fits the parameters shows when their accumulators are made."""
    try:
        return None if value is None else np.dtype(value)
    except (TypeError, ValueError, SyntaxError):
        raise TypeError(f"state_dtype: expected a dtype, got {value!r}") from None


def check_allocate(value: Any) -> None:
    """Raise TypeError unless `allocate` can be called or is None."""
    if value is not None:
        check_callable("allocate", value)


def all_params(groups: Sequence[Group], start: int = 0) -> list[Any]:
    """Return the parameters of groups that a user may have changed; the first group is number `start`.

    Of saved groups, return their keys.
    """
    for k, group in enumerate(groups, start):
        check_dict(f"param_groups[{k}]", group)
        if "params" not in group:
            raise KeyError(f"param_groups[{k}]: expected an entry 'params'")
        check_list(f"param_groups[{k}]['params']", group["params"])
    return [param for group in groups for param in group["params"]]
