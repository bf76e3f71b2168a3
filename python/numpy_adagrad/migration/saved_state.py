"""The content of a state dict, in terms that name no rule, and checks of its entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..inputs.memmap import check_arrays
from ..inputs.tensors import to_array
from ..inputs.types import Array

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


def read_entry(mapping: Mapping[Any, Any], key: Any, label: str = "state_dict") -> Any:
    """Return an entry."""
    if key not in mapping:
        raise KeyError(f"{label}: expected an entry {key!r}")
    return mapping[key]


def read_array(label: str, value: Any) -> Array:
    """Return an array or tensor as an array."""
    array = to_array(value)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(array).__name__}")
    check_arrays([(label, array)])
    return array


def check_steps(steps: float, limit: int) -> int:
    """Return a number of steps that a counter with this limit can hold."""
    if steps > limit:
        raise ValueError(f"step: expected at most {limit}, got {steps:.0f}")
    return int(steps)
