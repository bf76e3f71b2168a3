"""Convert all forms of parameters and gradients into one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from .hints import nearest
from .sparse import RowSparse, is_sparse
from .types import Array, Group
from .validation import same_memory

Grads: TypeAlias = Array | RowSparse | Mapping[str, Any] | Iterable[Any]


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
    if isinstance(params, Collection) and not isinstance(params, (list, tuple, Mapping, str, bytes, np.ndarray)):
        items = list(params)
        return items if are_groups(items) else params
    return params


def are_groups(params: Any) -> bool:
    """Return whether `params`, as `read_once` returns them, are groups."""
    return isinstance(params, (list, tuple)) and bool(params) and all(isinstance(item, Mapping) for item in params)


def read_group(group: Mapping[str, Any]) -> Group:
    """Convert the `params` of one group, in any form except groups, into a list."""
    if "params" not in group:
        hint = next(filter(None, (nearest(key, ["params"]) for key in group)), "")
        raise KeyError(f"param_groups: expected groups with an entry 'params', got the keys {list(group)}{hint}")
    arrays, names = members(group["params"])
    read = {**group, "params": arrays}
    if names is not None:
        read["param_names"] = names
    return read


def members(params: Any, role: str = "params") -> tuple[list[Any], list[str] | None]:
    """Return the arrays in `params`, given in any form except groups, and their names, or None without names."""
    if isinstance(params, np.ndarray):
        return [params], None
    if isinstance(params, Mapping):
        arrays = list(params.values())
        check_same_arrays(arrays, (params[name] for name in params), params, role)
        return arrays, list(params)
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{role}: expected an ordered collection, got a set, whose order changes between runs")
    if isinstance(params, (str, bytes)) or not isinstance(params, Iterable):
        raise TypeError(f"{role}: expected an array, a mapping, or a sequence of arrays, got {type(params).__name__}")
    items = list(params)
    if not isinstance(params, (list, tuple, Iterator)):
        check_same_arrays(items, params, params, role)
    named = [isinstance(item, tuple) for item in items]
    if not any(named):
        return items, None
    if not all(named):
        raise ValueError(f"{role}: expected all with names or all without, got some of each")
    for item in items:
        if len(item) != 2 or not isinstance(item[0], str):
            raise TypeError(f"{role}: expected pairs (name, array), got {item!r:.60}")
    return [array for _, array in items], [name for name, _ in items]


def check_same_arrays(arrays: list[Any], again: Iterable[Any], params: Any, role: str) -> None:
    """Raise TypeError if `params` makes new arrays each time it is read: nobody would see their updates.

    New views of the same memory are fine.
    """
    for i, (array, other) in enumerate(zip(arrays, again, strict=True)):
        if isinstance(array, tuple) and isinstance(other, tuple) and array and other:  # a pair of name and array
            array, other = array[-1], other[-1]
        if array is not other and isinstance(array, np.ndarray) and not same_memory(array, other):
            kind = type(params).__name__
            raise TypeError(
                f"{role}: expected the same arrays at each look-up, got a {kind} that makes a new array {i}"
            )


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
        if not isinstance(group["param_names"], (list, tuple)):
            got = type(group["param_names"]).__name__
            raise TypeError(f"param_groups[{k}]['param_names']: expected a list, got {got}")
        params, own = len(group["params"]), len(group["param_names"])
        if own != params:
            raise ValueError(f"param_groups[{k}]['param_names']: expected {params} names, got {own}")
        for name in group["param_names"]:
            if name in known or name in names:
                raise ValueError(f"params: expected unique names, got {name!r} twice")
            names[name] = len(known) + len(names)
    return names


def flat_grads(grads: Any, names: Collection[str], single_param: bool) -> Sequence[Any]:
    """Convert `grads`, given in the form of the parameters, into a flat sequence."""
    if type(grads) in (list, tuple):
        items: Sequence[Any] = grads
    elif isinstance(grads, np.ndarray) or is_sparse(grads):
        if not single_param:
            raise TypeError("grads: expected a sequence with an array for each parameter, got one array")
        return (grads,)
    elif isinstance(grads, Mapping):
        return _by_name(grads, names)
    elif isinstance(grads, (set, frozenset, str, bytes)) or not isinstance(grads, Iterable):
        hint = "; call step(closure=f), where f returns (loss, grads)" if callable(grads) else ""
        raise TypeError(f"grads: expected arrays in the form of the parameters, got {type(grads).__name__}{hint}")
    else:
        items = list(grads)
    if names and items and all(isinstance(item, tuple) for item in items):
        named = dict(items)
        if len(named) != len(items):
            raise ValueError(f"grads: expected unique names, got {len(named)} for {len(items)} gradients")
        return _by_name(named, names)
    return items


def _by_name(grads: Mapping[Any, Any], names: Collection[str]) -> list[Any]:
    if not names:
        raise TypeError("grads: expected a sequence, as the parameters have no names, got a mapping")
    missing = [name for name in names if name not in grads]  # a defaultdict would make them up
    if missing:
        raise KeyError(f"grads: expected one for each parameter (None for no gradient), got none for {missing[0]!r}")
    if len(grads) != len(names):
        unknown = next(name for name in grads if name not in set(names))
        raise KeyError(f"grads: expected the names of the parameters, got {unknown!r}")
    return [grads[name] for name in names]
