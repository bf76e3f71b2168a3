"""The content of a checkpoint, and the matching of its parameters to those of the optimizer that loads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from reprlib import repr  # short, whatever the file holds
from typing import Any

from ..inputs.types import Array, Group


@dataclass(frozen=True)
class Content:
    """The content of a checkpoint. An optimizer gives it to `save` and takes it from `load`."""

    rule: str
    fixed: dict[str, Any]  # options that the file and the optimizer that loads it must share
    names: list[str]  # the parameters' names in flat order; empty if they have none
    sizes: list[int]  # the number of parameters in each group
    options: list[Group]  # of each group; empty in the optimizer that loads
    states: list[dict[str, Array]]  # of each parameter, in flat order
    shared: dict[str, Array]  # arrays that belong to no parameter
    parameters: list[Array] | None
    skipped_steps: int
    extra: Any = None  # the user's own; JSON can hold it


def match(
    own: Sequence[str], sizes: Sequence[int], groups: Sequence[list[str]], *, named: bool
) -> tuple[list[str], list[int]]:
    """Return for each parameter of an optimizer its name in a saved state, and for each group its index there.

    `own` are the names of the optimizer, `sizes` the numbers of parameters in its groups, and `groups` the names in
    each saved group, which are mere numbers unless `named`.
    """
    flat = [name for group in groups for name in group]
    if len(set(flat)) != len(flat):
        raise ValueError(f"groups: expected unique names, got {repr(sorted(flat, key=str))}")
    if named and set(flat) == set(own):
        return list(own), _match_groups(own, sizes, groups)
    if named and own and not are_automatic(flat) and not are_automatic(own):
        if missing := sorted(set(own) - set(flat), key=str):
            raise ValueError(f"params: expected one named {missing[0]!r}, got none")
        if others := sorted(set(flat) - set(own), key=str):
            raise ValueError(f"params: expected the names of the parameters here, got {others[0]!r}")
    saved = [len(group) for group in groups]
    if list(sizes) != saved:
        raise ValueError(f"groups: expected {list(sizes)} parameters, got {saved}")
    return flat, list(range(len(groups)))


def _match_groups(own: Sequence[str], sizes: Sequence[int], groups: Sequence[list[str]]) -> list[int]:
    """Match groups that hold the same names; empty groups keep their order."""
    if len(sizes) != len(groups):
        raise ValueError(f"groups: expected {len(sizes)}, got {len(groups)}")
    waiting: dict[frozenset[str], list[int]] = {}
    for k, group in enumerate(groups):
        waiting.setdefault(frozenset(group), []).append(k)
    indices, stop = [], 0
    for k, size in enumerate(sizes):
        start, stop = stop, stop + size
        names = own[start:stop]
        candidates = waiting.get(frozenset(names))
        if not candidates:
            raise ValueError(f"groups: expected one with the names of group {k} here, {repr(names)}, got none")
        indices.append(candidates.pop(0))
    return indices


def are_automatic(names: Sequence[str]) -> bool:
    """Tell whether `MindSporeAdagrad` gave the names: they only number the parameters."""
    return set(names) == {f"param{i}" for i in range(len(names))}
