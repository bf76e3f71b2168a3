"""Arrays in containers within containers, such as the layers of a network: their names are joined by dots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from .stored_elements import is_scipy
from .validation import same_memory


def children(value: Any) -> list[tuple[Any, Any]] | None:
    """Return the keys and values of a container, or None for anything else.

    A list or tuple of plain numbers or texts is none, as it may stand for an array or a pair of name and array.

    Examples
    --------
    >>> from numpy_adagrad.inputs.nested import children
    >>> children({"W": None}), children([None, None]), children([("W", None)]), children([1.0]), children(("W", None))
    ([('W', None)], [('0', None), ('1', None)], [('W', None)], None, None)
    """
    if isinstance(value, np.ndarray):
        return None
    if isinstance(value, Mapping):
        return None if is_scipy(value) else list(value.items())  # one format of SciPy is a mapping
    if isinstance(value, (list, tuple)):
        if hasattr(value, "_fields"):
            return list(zip(value._fields, value, strict=True))
        if value and all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in value):
            return list(value)
        return None if any(map(_is_plain_value, value)) else [(str(i), item) for i, item in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    return None


def _is_plain_value(value: Any) -> bool:
    if isinstance(value, np.generic):  # a number of NumPy may be a gradient
        return isinstance(value, np.character)
    return isinstance(value, (int, float, complex, str, bytes))


def leaves(
    items: Iterable[tuple[Any, Any]], role: str | None = None, prefix: str = "", outer: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, Any]]:
    """Return the names and values of the leaves in `items`, the keys and values of a container.

    With `role`, the arrays in a mapping must be the same at each look-up. `outer` are the containers around `items`.

    Examples
    --------
    >>> from numpy_adagrad.inputs.nested import leaves
    >>> list(leaves({"layer": {"W": None, "b": None}, "scale": None}.items()))
    [('layer.W', None), ('layer.b', None), ('scale', None)]
    """
    for key, value in items:
        inner = children(value)
        if inner is None:
            yield f"{prefix}{key}" if prefix else key, value
            continue
        if any(value is one for one in outer):
            raise ValueError(f"{role or 'grads'}: expected containers of arrays, got one that contains itself")
        if role is not None and isinstance(value, Mapping):
            check_same_arrays([array for _, array in inner], (value[name] for name in value), value, role)
        yield from leaves(inner, role, f"{prefix}{key}.", (*outer, value))


def is_plain(value: Any) -> bool:
    """Return whether reading a container runs no code of others."""
    if type(value) in (np.ndarray, str):
        return True
    try:
        if type(value) is dict:
            return all(map(is_plain, value.values()))
        if type(value) in (list, tuple):
            return all(map(is_plain, value))
    except RecursionError:  # it contains itself
        return False
    return not isinstance(value, (Mapping, list, tuple)) and not is_dataclass(value)


def check_same_arrays(arrays: list[Any], again: Iterable[Any], params: Any, role: str) -> None:
    """Raise TypeError if `params` makes new arrays each time it is read: nobody would see their updates.

    New views of the same memory are fine.
    """
    for i, (array, other) in enumerate(zip(arrays, again, strict=True)):
        if isinstance(array, tuple) and isinstance(other, tuple) and array and other:  # a pair of name and array
            array, other = array[-1], other[-1]
        if array is other or not isinstance(array, np.ndarray):
            continue
        if not isinstance(other, np.ndarray) or not same_memory(array, other):
            kind = type(params).__name__
            raise TypeError(
                f"{role}: expected the same arrays at each look-up, but the {kind} made a new array {i}; "
                "read it once into a list or a dict"
            )
