"""The content of a state dict, in terms that name no rule, and checks of its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..inputs.memmap import check_arrays
from ..inputs.tensors import to_array
from ..inputs.types import Array
from ..inputs.validation import check_dict, check_list, check_unmasked, is_real, read_entry

Groups: TypeAlias = "Sequence[Sequence[str]] | None"
"""The names of the parameters in each group."""


@dataclass(frozen=True, kw_only=True)
class State:
    """The content of a state dict of any rule."""

    names: Sequence[str] | None
    """The name of each parameter, in flat order, if the state dict has names."""
    accumulators: Sequence[Array]
    """For each parameter."""
    steps: Sequence[float]
    """For each parameter, checked to be whole numbers."""
    group_sizes: Sequence[int]
    """The number of parameters in each group."""
    rates: Sequence[Array | None]
    """For each group an array of 0 or 1 dimensions, or None for a schedule."""


def read_own(state_dict: Any, key: str, is_own: Callable[[Any], bool]) -> Any:
    """Return an entry of a state dict; if no key is one of the framework's own, the error says so."""
    check_dict("state_dict", state_dict)
    if state_dict and not any(map(is_own, state_dict)):
        cure = "it looks like that of another framework, did you swap source and target?"
        raise KeyError(f"state_dict: expected an entry {key!r}; {cure}")
    return read_entry(state_dict, key, "state_dict")


def read_list(mapping: Any, key: str, label: str) -> Sequence[Any]:
    """Return an entry that is a list."""
    value: Sequence[Any] = read_entry(mapping, key, label)
    check_list(f"{label}[{key!r}]", value)
    return value


def given_names(value: Any, label: str) -> list[str]:
    """Check names that are given beside a state dict; return them as a list."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{label}: expected a sequence of names, got {type(value).__name__}")
    names: dict[str, None] = {}
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"{label}: expected names of type str, got {name!r}")
        if name in names:
            raise ValueError(f"{label}: expected unique names, got {name!r} twice")
        names[name] = None
    return [*names]


def read_array(label: str, value: Any) -> Array:
    """Return an array or tensor as an array."""
    array = to_array(value, label)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(array).__name__}")
    check_unmasked(label, array)
    if not (is_real(array.dtype) or array.dtype.kind == "c"):
        raise TypeError(f"{label}: expected numbers, got {array.dtype}")
    check_arrays([(label, array)])
    return array


def check_steps(steps: float, limit: int) -> int:
    """Return a number of steps that a counter with this limit can hold."""
    if steps > limit:
        raise ValueError(f"step: expected at most {limit}, got {steps:.0f}")
    return int(steps)
