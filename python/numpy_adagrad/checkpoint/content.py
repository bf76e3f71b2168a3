"""Checkpoints: what of an optimizer goes into a file, and which array of a file goes where.

The file's arrays are ``<role>.<name>`` for each parameter, where the role is a key of its state or ``param`` and the
name its own or its flat index; MindSpore's ``global_step``; and ``group.<k>.<option>`` for options that are arrays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from reprlib import repr  # short, whatever the file holds
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ..inputs.tensors import to_array
from ..inputs.types import Array
from ..inputs.validation import cast_like, step_count
from .safetensors_file import read, texts, write

if TYPE_CHECKING:
    from ..optimizers._saved_state import SavedState as Optimizer

CKPT = ".ckpt"
CONTENT = {
    "rule": str,
    "package": str,
    "named": bool,
    "parameters": bool,
    "steps": list,  # for readers; what is loaded are the arrays
    "fixed": dict,
    "groups": list,
}
GROUP = {"params": list, "options": dict, "arrays": list}


def save(optimizer: Optimizer, path: str | os.PathLike[str], *, parameters: bool) -> None:
    """Write a checkpoint of an optimizer that is settled and whose lock is held."""
    path = os.fsdecode(path)
    if path.endswith(CKPT):
        raise ValueError(f"{path}: expected a name without {CKPT}, which is MindSpore's own format")
    slots = optimizer._slots
    keys = [_text(name) for name in optimizer.names] or [str(i) for i in range(len(slots))]
    arrays = dict(optimizer._shared_arrays())
    for key, slot in zip(keys, slots, strict=True):
        arrays |= {f"{role}.{key}": array for role, array in slot.state.items()}
        if parameters:
            arrays[f"param.{key}"] = slot.param
    groups, left = [], iter(keys)
    for k, (group, saved) in enumerate(zip(optimizer.param_groups, optimizer._saved_options(), strict=True)):
        options = {key: _plain(value, f"param_groups[{k}][{key!r}]") for key, value in saved.items()}
        held = [key for key, value in options.items() if isinstance(value, np.ndarray)]
        arrays |= {f"group.{k}.{key}": options.pop(key) for key in held}
        groups.append({"params": [next(left) for _ in group["params"]], "options": options, "arrays": held})
    steps = [int(step_count(counter, f"steps[{i}]")) for i, counter in enumerate(optimizer._counters(slots))]
    content = {
        "rule": optimizer._rule,
        "package": _core.version,
        "named": bool(optimizer.names),
        "parameters": bool(parameters),
        "steps": steps,
        "fixed": optimizer._fixed_options(),
        "groups": groups,
    }
    write(path, arrays, content)


def load(optimizer: Optimizer, path: str | os.PathLike[str], *, parameters: bool) -> list[tuple[Any, Any]]:
    """Check a checkpoint against a settled optimizer whose lock is held; return what fills all that it restores."""
    path = os.fsdecode(path)
    try:
        if path.endswith(CKPT):
            return optimizer._loading_ckpt_pairs(path, parameters=parameters)
        return _filling(optimizer, *read(path), parameters)
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _filling(optimizer: Optimizer, arrays: Mapping[str, Array], content: Any, wanted: bool) -> list[tuple[Any, Any]]:
    _check_entries(content, CONTENT, "content")
    for k, group in enumerate(content["groups"]):
        _check_entries(group, GROUP, f"groups[{k}]")
        texts(group["arrays"], f"groups[{k}]['arrays']")
    _refuse_other("rule", optimizer._rule, content["rule"])
    for option, value in optimizer._fixed_options().items():
        _refuse_other(option, value, content["fixed"].get(option))
    if wanted and not content["parameters"]:
        raise ValueError("expected parameters, saved with parameters=True, got a file without them")
    keys, chosen = _match(optimizer, [group["params"] for group in content["groups"]], content["named"])
    pairs = list(zip(keys, optimizer._slots, strict=True))
    shared = list(optimizer._shared_arrays())
    expected = {*shared, *(f"{role}.{key}" for key, slot in pairs for role in slot.state)}
    expected |= {f"param.{key}" for key in keys if content["parameters"]}
    expected |= {f"group.{k}.{option}" for k, group in enumerate(content["groups"]) for option in group["arrays"]}
    _check_keys(arrays, expected)
    states = [{role: arrays[f"{role}.{key}"] for role in slot.state} for key, slot in pairs]
    options = []
    for k in chosen:
        group = content["groups"][k]
        options.append(group["options"] | {option: arrays[f"group.{k}.{option}"] for option in group["arrays"]})
    pairs_to_write = optimizer._restoring_pairs(states, options, {key: arrays[key] for key in shared})
    if wanted:
        labels = [f"param.{key}" for key in keys]
        values = [cast_like(arrays[label], slot.param, label) for label, (_, slot) in zip(labels, pairs, strict=True)]
        pairs_to_write += [(slot.param, value) for value, (_, slot) in zip(values, pairs, strict=True)]
    return pairs_to_write


def _match(optimizer: Optimizer, theirs: list[list[str]], named: bool) -> tuple[list[str], list[int]]:
    """Return the file's name for each parameter here, and the number of its group for each group here."""
    flat = [key for k, group in enumerate(theirs) for key in texts(group, f"groups[{k}]['params']")]
    if len(set(flat)) != len(flat):
        raise ValueError(f"groups: expected unique names, got {repr(sorted(flat))}")
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    names = iter(optimizer.names)
    ours = [[next(names) for _ in range(size)] for size in sizes] if optimizer.names else []
    if named and set(flat) == set(optimizer.names):
        return optimizer.names, _groups_by_name(ours, theirs)
    if named and not _are_automatic(flat) and optimizer.names and not _are_automatic(optimizer.names):
        for name in sorted(set(optimizer.names) - set(flat)):
            raise ValueError(f"params: expected one named {name!r}, got none")
        for name in sorted(set(flat) - set(optimizer.names)):
            raise ValueError(f"params: expected the names of the parameters here, got {name!r}")
    if sizes != [len(group) for group in theirs]:
        raise ValueError(f"groups: expected {sizes} parameters, got {[len(group) for group in theirs]}")
    return flat, list(range(len(theirs)))


def _groups_by_name(ours: list[list[str]], theirs: list[list[str]]) -> list[int]:
    places: dict[frozenset[str], list[int]] = {}
    for k, names in reversed(list(enumerate(theirs))):
        places.setdefault(frozenset(names), []).append(k)
    if len(ours) != len(theirs):
        raise ValueError(f"groups: expected {len(ours)}, got {len(theirs)}")
    chosen = []
    for k, names in enumerate(ours):
        if not places.get(frozenset(names)):
            raise ValueError(f"groups: expected one with the names of group {k} here, {repr(names)}, got none")
        chosen.append(places[frozenset(names)].pop())
    return chosen


def _are_automatic(names: Sequence[str]) -> bool:
    """Tell names that `MindSporeAdagrad` gave: they say no more than an order."""
    return set(names) == {f"param{i}" for i in range(len(names))}


def _plain(value: Any, label: str) -> Any:
    """Turn an option into an array or into what JSON holds."""
    value = to_array(value)
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        raise TypeError(f"{label}: expected an array or what JSON holds, got {type(value).__name__}") from None
    return value


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"params: expected names that are text, got {name!r}")
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


def _check_keys(arrays: Mapping[str, Array], expected: set[str]) -> None:
    for key in sorted(expected - set(arrays)):
        raise ValueError(f"arrays: expected {key!r}, got none")
    for key in sorted(set(arrays) - expected):
        raise ValueError(f"arrays: expected those of the parameters, got {key!r}")


def _refuse_other(label: str, ours: Any, theirs: Any) -> None:
    if ours != theirs:
        raise ValueError(f"{label}: expected {ours!r}, got {repr(theirs)}")
