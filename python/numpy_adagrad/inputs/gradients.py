"""Convert all forms of gradients into a list in the order of the parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import _core
from .containers import has_fields
from .nested import children, leaves
from .row_sparse import RowSparse
from .sparse import is_sparse
from .tensors import is_foreign
from .types import Array

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Grads: TypeAlias = "Array | RowSparse | Mapping[str, Any] | Iterable[Any] | DataclassInstance"


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
    if names and has_fields(grads):
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
    is_flat = _core.is_flat(items)
    if not is_flat:
        _check_no_groups(items, names)
    if not names:
        return items
    if is_flat:
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


def _check_no_groups(items: Sequence[Any], names: Collection[Any]) -> None:
    """Raise TypeError for gradients in groups; a layer may also be called params."""
    for i, item in enumerate(items):
        if isinstance(item, dict) and "params" in item and not any(str(name).startswith(f"{i}.") for name in names):
            raise TypeError("grads: expected an array for each parameter, flat over all groups, got groups")


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
