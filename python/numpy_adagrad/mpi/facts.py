"""What all ranks must have in common, as text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any, SupportsFloat, TypeAlias

import numpy as np

from ..inputs.types import Array
from ..optimizers._base import Optimizer
from .rows import as_bytes

DEFAULT_REPR: Any = object.__repr__  # it shows an address, which differs between processes

Facts: TypeAlias = dict[str, str]
"""What all ranks must have in common, as text by its name in messages."""


def option_facts(**options: Any) -> Facts:
    """Return arguments as text, by name.

    Left out are callables, as `allocate` may open another file on each rank, and iterators, which have been read.
    """
    compared = {name: value for name, value in options.items() if not (callable(value) or isinstance(value, Iterator))}
    return {name: _text(value) for name, value in compared.items()}


def step_facts(optimizer: Optimizer, grad_scale: Any, max_norm: Any, on_nonfinite: str) -> Facts:
    """Return the options of a step, as the step reads them."""
    scale, limit, *_ = optimizer._step_options(grad_scale, max_norm, on_nonfinite)
    return option_facts(grad_scale=scale, max_norm=limit, on_nonfinite=on_nonfinite)


def optimizer_facts(optimizer: Optimizer, params: Sequence[Array]) -> Facts:
    """Return the class, options and number of steps of an optimizer, and the names, shapes and dtypes of `params`."""
    with optimizer._lock:
        slots = optimizer._current_slots()
        facts = {"optimizer": type(optimizer).__name__, "params": f"{len(slots)} arrays"}
        facts["names"] = repr(optimizer.names)
        labels = array_labels("params", len(params), optimizer.names)
        facts |= {label: f"{array.shape} {array.dtype}" for label, array in zip(labels, params, strict=True)}
        for k, group in enumerate(optimizer.param_groups):
            facts[f"param_groups[{k}]"] = f"{len(group['params'])} arrays"
            known = {*optimizer.defaults, *optimizer._watched_keys}  # others, which the rule does not read, may differ
            facts |= {f"param_groups[{k}][{key!r}]": _text(value) for key, value in group.items() if key in known}
        facts |= {key: _text(value) for key, value in optimizer._rule_options.items()}
        facts |= {key: _text(value) for key, value in optimizer._fixed_options().items()}
        dtypes = [str(slot.state[optimizer._accumulator].dtype) for slot in slots]
        facts["accumulators"] = repr(dtypes)
        facts["steps"] = repr([counter.tolist() for counter in optimizer._counters(slots)])
    return facts


def schedule_facts(optimizer: Optimizer) -> Facts:
    """Return the values of the schedules in a step that has been checked."""
    values = (optimizer._checked_values or {}).items()
    return {f"param_groups[{k}][{key!r}] after {steps} steps": _text(value) for (k, key, steps), value in values}


def array_labels(role: str, count: int, names: Sequence[str]) -> list[str]:
    """Return what messages call arrays, such as ``grads[0] ('W')``."""
    return [f"{role}[{i}]" + (f" ({names[i]!r})" if names else "") for i in range(count)]


def value_facts(role: str, arrays: Iterable[Array]) -> Facts:
    """Return a digest of the values of arrays."""
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(as_bytes(array).data)
    return {f"values of {role}": digest.hexdigest()}


def _text(value: Any) -> str:
    """Return an option as text that is the same in every process; a dataclass with its fields, a function by name."""
    if isinstance(value, np.ndarray):
        return _text(value.tolist())
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{key!r}: {_text(item)}" for key, item in value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(map(_text, value))) + "}"
    if isinstance(value, partial):
        return f"partial({_text(value.func)}, {_text(value.args)}, {_text(value.keywords)})"
    if is_dataclass(value) and not isinstance(value, type):
        options = {field.name: getattr(value, field.name, None) for field in fields(value)}
        options |= getattr(value, "__dict__", {})  # one with slots has none
        text = ", ".join(f"{name}={_text(option)}" for name, option in options.items())
        return f"{type(value).__qualname__}({text})"
    number = _number(value)
    if number is not None:
        return repr(int(number) if isinstance(number, float) and number.is_integer() else number)
    if callable(value) or type(value).__repr__ is DEFAULT_REPR:
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    return repr(value)


def _number(value: Any) -> Any:
    """Return a number, of NumPy or another library, as one of Python, and None for anything else."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (int, float)):
        return value
    try:
        return float(value) if isinstance(value, SupportsFloat) else None
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
