"""The content of a checkpoint as named arrays and a description in JSON, and back.

The arrays of a parameter are called ``<key>.<name>``: the key is that of its state, or ``param``; the name is its own
or its flat index. Options that are arrays are called ``group.<k>.<option>``. Shared arrays keep their keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from reprlib import repr  # short, whatever the file holds
from typing import Any

import numpy as np

from .. import _core
from ..inputs.rounding import common
from ..inputs.tensors import as_array, to_array
from ..inputs.types import Array
from ..inputs.validation import check_dict, check_unmasked
from .content import Content, match
from .safetensors_file import check_texts

CONTENT = {
    "rule": str,
    "package": str,
    "named": bool,
    "parameters": bool,
    "fixed": dict,
    "groups": list,
    "skipped_steps": int,
}
GROUP = {"params": list, "options": dict, "arrays": list}
MAX_LEVELS = 100
"""Of lists and dicts in each other. Their readers are recursive, and may be called where the stack is deep already."""


def encode(content: Content) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays of a file and their description."""
    names = [_text(name) for name in content.names] or [str(i) for i in range(len(content.states))]
    arrays = dict(content.shared)
    for name, state in zip(names, content.states, strict=True):
        arrays |= {f"{key}.{name}": array for key, array in state.items()}
    if content.parameters is not None:
        arrays |= {f"param.{name}": param for name, param in zip(names, content.parameters, strict=True)}
    groups, remaining = [], iter(names)
    for k, (size, options) in enumerate(zip(content.sizes, content.options, strict=True)):
        plain = {key: _plain(value, f"param_groups[{k}][{key!r}]") for key, value in options.items()}
        _check_json(plain, f"param_groups[{k}]")
        array_keys = [key for key, value in plain.items() if isinstance(value, np.ndarray)]
        arrays |= {f"group.{k}.{key}": plain.pop(key) for key in array_keys}
        groups.append({"params": list(islice(remaining, size)), "options": plain, "arrays": array_keys})
    extra = {} if content.extra is None else {"extra": _json_of(content.extra)}
    return arrays, {
        **extra,
        "rule": content.rule,
        "package": _core.version,
        "named": bool(content.names),
        "parameters": content.parameters is not None,
        "fixed": content.fixed,
        "groups": groups,
        "skipped_steps": content.skipped_steps,
    }


def decode(arrays: Mapping[str, Array], description: Any, own: Content) -> Content:
    """Check a file against `own`, the content of the optimizer that loads it; return the content of the file.

    The result is in the order of `own`, with the names of the file. It includes parameters if `own` does.
    """
    extra = None
    if type(description) is dict:
        description.setdefault("skipped_steps", 0)  # files of older versions of this package have no such entry
        extra = description.pop("extra", None)
    _check_entries(description, CONTENT, "content")
    skipped_steps = description["skipped_steps"]
    if skipped_steps < 0:
        raise ValueError(f"skipped_steps: expected a number of at least 0, got {repr(skipped_steps)}")
    groups = description["groups"]
    for k, group in enumerate(groups):
        _check_entries(group, GROUP, f"groups[{k}]")
        check_texts(group["arrays"], f"groups[{k}]['arrays']")
        check_texts(group["params"], f"groups[{k}]['params']")
    _check_rule(own.rule, description["rule"])
    for option, value in own.fixed.items():
        _check_equal(option, value, description["fixed"].get(option))
    if own.parameters is not None and not description["parameters"]:
        raise ValueError("expected parameters, saved with parameters=True, got a file without them")
    names, group_indices = match(
        own.names, own.sizes, [group["params"] for group in groups], named=description["named"]
    )

    remaining = dict(arrays)

    def take(key: str) -> Array:
        if key not in remaining:
            raise ValueError(f"arrays: expected {key!r}, got none")
        return remaining.pop(key)

    options = [
        group["options"] | {option: take(f"group.{k}.{option}") for option in group["arrays"]}
        for k, group in enumerate(groups)
    ]
    states = [{key: take(f"{key}.{name}") for key in state} for name, state in zip(names, own.states, strict=True)]
    parameters = [take(f"param.{name}") for name in names] if description["parameters"] else None
    shared = {key: take(key) for key in own.shared}
    if others := sorted(remaining):
        raise ValueError(f"arrays: expected those of the parameters, got {others[0]!r}")
    if own.parameters is None:
        parameters = None
    options = [options[k] for k in group_indices]
    return replace(
        own,
        names=names,
        options=options,
        states=states,
        shared=shared,
        parameters=parameters,
        skipped_steps=skipped_steps,
        extra=extra,
    )


def _json_of(extra: Any) -> dict[str, Any]:
    """Check what a user adds to a checkpoint; it is written as it is now."""
    check_dict("extra", extra)
    given = dict(extra)
    copied: dict[str, Any] = {}
    for key, value in given.items():
        label = f"extra[{key!r:.60}]: expected a value that JSON can hold"
        others: list[Any] = []  # what JSON cannot hold
        try:
            copied[key] = json.loads(json.dumps(value, default=others.append))
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{label}: {error}") from None
        if others:
            kind = type(others[0])
            if hasattr(kind, "tolist"):  # NumPy has a class that is called bool, too
                raise TypeError(f"{label}, got {kind.__module__}.{kind.__name__}; convert it with .tolist()")
            raise TypeError(f"{label}, got {kind.__name__}")
    _check_json(given, "extra")
    return copied


def _check_json(content: Any, label: str) -> None:
    """Raise TypeError for too many levels, and for a key that is not text: as text, it may be a key already."""
    level: list[Any] = [content]
    for _ in range(MAX_LEVELS):
        below: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                for key in value:
                    if not isinstance(key, str):
                        raise TypeError(f"{label}: expected keys of type str, got {key!r}")
                below.extend(value.values())
            elif isinstance(value, (list, tuple)):
                below.extend(value)  # not +=, which a class may define
        if not below:
            return
        level = below
    raise TypeError(f"{label}: expected at most {MAX_LEVELS} levels of lists and dicts, got more")


def _plain(value: Any, label: str) -> Any:
    """Turn an option into an array or a value that JSON can hold."""
    value = to_array(value, label)
    if isinstance(value, np.ndarray):
        check_unmasked(label, value)
        return common(value)
    if isinstance(value, np.generic):
        value = common(np.asarray(value)).item()
    array = as_array(value, label)  # of JAX, for example
    if array is not None:
        return common(array)
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        raise TypeError(
            f"{label}: expected an array or a value that JSON can hold, got {type(value).__name__}"
        ) from None
    return value


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"params: expected names of type str, got {name!r}")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"params: expected names that UTF-8 holds, got {name!r}") from None
    return name


def _check_entries(value: Any, kinds: Mapping[str, type], label: str) -> None:
    if type(value) is not dict or set(value) != set(kinds):
        found = sorted(value) if type(value) is dict else value
        raise ValueError(f"{label}: expected the entries {list(kinds)}, got {repr(found)}")
    for key, kind in kinds.items():
        if type(value[key]) is not kind:
            raise ValueError(f"{label}: expected {key!r} to be of type {kind.__name__}, got {repr(value[key])}")


def _check_rule(ours: str, theirs: str) -> None:
    if theirs != ours and theirs in _core.rules:
        cure = "load it with an optimizer of that rule, and convert its state_dict with numpy_adagrad.translate_state"
        raise ValueError(f"rule: expected {ours!r}, got {theirs!r}; {cure}")
    _check_equal("rule", ours, theirs)


def _check_equal(label: str, ours: Any, theirs: Any) -> None:
    if ours != theirs:
        raise ValueError(f"{label}: expected {ours!r}, got {repr(theirs)}")
