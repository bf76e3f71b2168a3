"""Convert all forms of parameters and gradients into one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from numbers import Number
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import _core
from .hints import nearest
from .nested import check_same_arrays, children, leaves
from .row_sparse import RowSparse
from .sparse import is_sparse
from .tensors import is_foreign, tensor_hint
from .types import Array, Group
from .validation import check_hashable, check_list

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Grads: TypeAlias = "Array | RowSparse | Mapping[str, Any] | Iterable[Any] | DataclassInstance"


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
    if isinstance(params, Mapping) and "params" in params and any(isinstance(one, Number) for one in params.values()):
        raise TypeError("params: expected a list of groups, got one group alone; write it as [{'params': ...}]")
    if not isinstance(params, (list, tuple)) or hasattr(params, "_fields"):
        return False
    mappings = [item for item in params if isinstance(item, Mapping)]
    keys = {key for item in mappings for key in item}
    has_groups = "params" in keys or "order_params" in keys or any(nearest(key, ["params"]) for key in keys)
    if has_groups and len(mappings) < len(params):
        raise TypeError("params: expected groups only or arrays only, got some of each")
    values = [value for item in mappings for value in item.values() if not isinstance(value, np.ndarray)]
    has_options = any(children(value) is None for value in values)
    return bool(params) and len(mappings) == len(params) and (has_groups or has_options)


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


def members(params: Any, role: str = "params") -> tuple[list[Any], list[Any] | None]:
    """Return the arrays in `params`, given in any form except groups, and their names, or None without names."""
    if isinstance(params, np.ndarray):
        return [params], None
    if not isinstance(params, Mapping) and is_foreign(params):
        raise TypeError(f"{role}: expected a NumPy array, got {type(params).__name__}{tensor_hint([params])}")
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{role}: expected an ordered collection, got a set, whose order changes between runs")
    if isinstance(params, Mapping) or _has_fields(params):
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


def _has_fields(value: Any) -> bool:
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


def flat_grads(grads: Any, names: Collection[Any], single_param: bool) -> Sequence[Any]:
    """Convert `grads`, given in the form of the parameters, into a flat sequence."""
    if type(grads) in (list, tuple):
        return _in_sequence(grads, names, single_param)
    if isinstance(grads, np.ndarray):
        return _single(grads, single_param)
    if isinstance(grads, Mapping) and not is_sparse(grads):
        has_layers = not _core.is_flat(grads) and any(children(value) is not None for value in grads.values())
        return _by_name(_unique(leaves(grads.items())) if has_layers else grads, names)
    if is_sparse(grads) or is_foreign(grads):
        return _single(grads, single_param)
    if names and _has_fields(grads):
        return _by_name(_unique(leaves(children(grads) or ())), names)
    if isinstance(grads, (set, frozenset, str, bytes)) or not isinstance(grads, Iterable):
        hint = "; call step(closure=f), where f returns (loss, grads)" if callable(grads) else ""
        raise TypeError(f"grads: expected arrays in the form of the parameters, got {type(grads).__name__}{hint}")
    return _in_sequence(list(grads), names, single_param)


def _single(grad: Any, single_param: bool) -> tuple[Any]:
    if not single_param:
        raise TypeError("grads: expected a sequence with an array for each parameter, got one array")
    return (grad,)


def _in_sequence(items: Sequence[Any], names: Collection[Any], single_param: bool) -> Sequence[Any]:
    if len(items) == 2 and (single_param or "0" not in names):
        _check_no_loss(*items, single_param=single_param)
    if not names:
        return items
    if _core.is_flat(items):
        if len(items) != len(names) and any(item is None for item in items):
            known = set(names)
            layers = _without_layers({str(i): item for i, item in enumerate(items)}, names)
            named = {name: grad for name, grad in layers.items() if name in known or grad is not None}
            if named.keys() == known:
                return [named[name] for name in names]
        return items
    kinds = {_kind(name) for name in names}
    if all(isinstance(item, tuple) and len(item) == 2 and _kind(item[0]) in kinds for item in items):
        named = _unique(items)
        return _by_name(named if _core.is_flat(named) else _unique(leaves(items)), names)
    if any(children(item) is not None for item in items):
        return _by_name(_unique(leaves((str(i), item) for i, item in enumerate(items))), names)
    return items


def _check_no_loss(loss: Any, grads: Any, *, single_param: bool) -> None:
    """Raise TypeError for a loss before gradients, as functions return that compute both."""
    is_number = issubclass(type(loss), Number) or (
        (issubclass(type(loss), np.ndarray) or is_foreign(loss)) and getattr(loss, "shape", None) == ()
    )
    is_one = single_param and not issubclass(type(grads), Number)
    if is_number and (is_one or children(grads) is not None):
        raise TypeError(
            "grads: expected arrays in the form of the parameters, got a pair of a number and gradients; give the "
            "gradients alone, or closure=lambda: (loss, grads)"
        )


def _kind(name: Any) -> type:
    return str if isinstance(name, str) else type(name)  # also for texts of NumPy


def _unique(items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return pairs of name and gradient as a dict, in which a second gradient of a name would replace the first."""
    named: dict[Any, Any] = {}
    for name, grad in items:
        if name in named:
            raise ValueError(f"grads: expected unique names, got {name!r} twice")
        named[name] = grad
    return named


def _by_name(grads: Mapping[Any, Any], names: Collection[Any]) -> list[Any]:
    if not names:
        raise TypeError("grads: expected a sequence, as the parameters have no names, got a mapping")
    missing = [name for name in names if name not in grads]  # a defaultdict would make them up
    if missing:
        grads = _without_layers(grads, missing)
        missing = [name for name in missing if name not in grads]
    if missing:
        known = set(names)
        other = next((f", but one for {name!r}" for name in grads if name not in known and grads[name] is not None), "")
        expected = "expected one for each parameter (None for no gradient)"
        raise KeyError(f"grads: {expected}, got none for {missing[0]!r}{other}")
    if len(grads) != len(names):
        known = set(names)
        unknown = [name for name in grads if name not in known]
        if not unknown:
            raise ValueError(f"grads: expected {len(names)} entries, got {len(grads)}")
        for name in unknown:
            if grads[name] is not None:  # None stands for a layer without parameters
                raise KeyError(f"grads: expected the names of the parameters, got {name!r}")
    return [grads[name] for name in names]


def _without_layers(grads: Mapping[Any, Any], missing: Collection[Any]) -> dict[Any, Any]:
    """Turn None for a layer into None for each of its parameters."""
    result = dict(grads)
    for layer in [name for name, grad in grads.items() if grad is None]:
        inner = [name for name in missing if isinstance(name, str) and name.startswith(f"{layer}.")]
        if inner:
            del result[layer]
            result.update(dict.fromkeys(inner))
    return result
