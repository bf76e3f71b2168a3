"""Convert all forms of parameters into groups, lists and names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from .hints import nearest
from .nested import check_same_arrays, children, leaves
from .tensors import is_foreign, tensor_hint
from .types import Group
from .validation import check_hashable, check_list


def read_groups(params: Any) -> list[Group]:
    """Convert `params` into a list of groups, each with a list `params` and, if named, a list `param_names`."""
    params = read_once(params)
    if are_groups(params):
        return [read_group(item) for item in params]
    return [read_group({"params": params})]


def read_once(params: Any) -> Any:
    """Return an iterator, or a collection of groups of any kind, as a list; return anything else unchanged."""
    if isinstance(params, Iterator):
        return list(params)
    if isinstance(params, Collection) and not (
        isinstance(params, (list, tuple, Mapping, str, bytes, np.ndarray)) or is_foreign(params)
    ):
        items = list(params)
        return items if are_groups(items) else params
    return params


def are_groups(params: Any) -> bool:
    """Return whether `params`, as `read_once` returns them, are groups, not layers in mappings."""
    if isinstance(params, Mapping) and "params" in params and any(map(_is_option, params.values())):
        raise TypeError("params: expected a list of groups, got one group alone; write it as [{'params': ...}]")
    if not isinstance(params, (list, tuple)) or hasattr(params, "_fields"):
        return False
    mappings = [item for item in params if isinstance(item, Mapping)]
    keys = {key for item in mappings for key in item}
    has_groups = "params" in keys or "order_params" in keys or any(nearest(key, ["params"]) for key in keys)
    if has_groups and len(mappings) < len(params):
        raise TypeError("params: expected groups only or arrays only, got some of each")
    has_options = any(_is_option(value) for item in mappings for value in item.values())
    return bool(params) and len(mappings) == len(params) and (has_groups or has_options)


def _is_option(value: Any) -> bool:
    """Return whether a value stands for an option of a group, not for parameters. A schedule may be a dataclass."""
    if value is None or isinstance(value, np.ndarray) or is_foreign(value):
        return False
    return callable(value) or children(value) is None


def check_has_params(group: Mapping[str, Any]) -> None:
    """Raise KeyError for a group without parameters."""
    if "params" not in group:
        hint = next(filter(None, (nearest(key, ["params"]) for key in group)), "")
        raise KeyError(f"param_groups: expected groups with an entry 'params', got the keys {list(group)}{hint}")


def read_group(group: Mapping[str, Any]) -> Group:
    """Convert the `params` of one group, in any form except groups, into a list."""
    check_has_params(group)
    arrays, names = members(group["params"])
    read = {**group, "params": arrays}
    if names is not None:
        read["param_names"] = names
    return read


def members(params: Any, role: str = "params") -> tuple[list[Any], list[Any] | None]:
    """Return the arrays in `params`, given in any form except groups, and their names, or None without names."""
    if isinstance(params, np.ndarray):
        return [params], None
    if not isinstance(params, Mapping) and is_foreign(params):
        raise TypeError(f"{role}: expected a NumPy array, got {type(params).__name__}{tensor_hint([params])}")
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{role}: expected an ordered collection, got a set, whose order changes between runs")
    if isinstance(params, Mapping) or has_fields(params):
        items = children(params)
        if isinstance(params, Mapping) and items is not None:
            check_same_arrays([array for _, array in items], (params[name] for name in params), params, role)
    elif isinstance(params, (str, bytes)) or not isinstance(params, Iterable):
        raise TypeError(f"{role}: expected an array, a mapping, or a sequence of arrays, got {type(params).__name__}")
    else:
        sequence = list(params)
        if not isinstance(params, (list, tuple, Iterator)):
            check_same_arrays(sequence, params, params, role)
        items = _items(sequence, role)
        if items is None:
            return sequence, None
    found = list(leaves(items or (), role))
    return [array for _, array in found], [name for name, _ in found]


def has_fields(value: Any) -> bool:
    """Return whether a value is a named tuple or of a dataclass."""
    return (isinstance(value, tuple) and hasattr(value, "_fields")) or (
        is_dataclass(value) and not isinstance(value, type)
    )


def _items(sequence: list[Any], role: str) -> list[tuple[Any, Any]] | None:
    """Return pairs of name and array, or the layers in a sequence by their number; None for arrays without names."""
    is_pair = [isinstance(item, tuple) and children(item) is None for item in sequence]
    if not any(is_pair):
        has_layers = any(children(item) is not None for item in sequence)
        return [(str(i), item) for i, item in enumerate(sequence)] if has_layers else None
    if not all(is_pair):
        raise ValueError(f"{role}: expected all with names or all without, got some of each")
    for item in sequence:
        if len(item) != 2 or not isinstance(item[0], str):
            raise TypeError(f"{role}: expected pairs (name, array), got {item!r:.60}")
    return sequence


def read_names(groups: Sequence[Group], earlier: Sequence[Group] = (), known: Mapping[str, int] = {}) -> dict[str, int]:
    """Return the flat index of each parameter of `groups` by its name, or an empty dict if they have no names.

    `earlier` are the groups that stand before them; `known` has the names of these.
    """
    named = ["param_names" in group for group in (*earlier[:1], *groups)]
    if not any(named):
        return {}
    if not all(named):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    names: dict[str, int] = {}
    for k, group in enumerate(groups, len(earlier)):
        check_list(f"param_groups[{k}]['param_names']", group["param_names"])
        params, own = len(group["params"]), len(group["param_names"])
        if own != params:
            raise ValueError(f"param_groups[{k}]['param_names']: expected {params} names, got {own}")
        for name in group["param_names"]:
            check_hashable(f"param_groups[{k}]['param_names']", name)
            if name in known or name in names:
                raise ValueError(f"params: expected unique names, got {name!r} twice")
            names[name] = len(known) + len(names)
    return names
