"""The layout of a state dict of ``torch.optim.Adagrad``: made, and checked before it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.tensors import to_array
from ..inputs.types import Array, Group
from ..inputs.validation import cast_like, number, step_count
from ._state import Slot

# What loading leaves alone. The path is always torch's fused one; a state dict says so, because torch goes by what it
# loads.
OWN = ("foreach", "differentiable", "fused", "params", "param_names")
REQUIRED = ("lr", "lr_decay", "weight_decay", "eps")


def saved(
    slots: Sequence[Slot], groups: Sequence[Group], rates: Sequence[Any], convert: Callable[[Array], Any]
) -> dict[str, Any]:
    """Make a state dict; `rates` stand for the groups' own, `convert` is applied to every array."""
    state = {i: {key: convert(array) for key, array in slot.state.items()} for i, slot in enumerate(slots)}
    saved_groups, start = [], 0
    for group, rate in zip(groups, rates, strict=True):
        stop = start + len(group["params"])
        has_complex = any(param.dtype.kind == "c" for param in group["params"])
        saved_groups.append(
            {
                **group,
                "lr": convert(rate) if isinstance(rate, np.ndarray) else rate,
                "foreach": None,
                "differentiable": False,
                "fused": None if has_complex else True,
                "params": list(range(start, stop)),
            }
        )
        start = stop
    return {"state": state, "param_groups": saved_groups}


def loaded(
    state_dict: Mapping[str, Any],
    groups: Sequence[Group],
    slots: Sequence[Slot],
    new_state: Callable[[Array], dict[str, Array]],
) -> tuple[list[Group], list[dict[str, Array]]]:
    """Check a state dict; return the groups and, for each parameter, what its state shall be.

    `new_state` makes the state of a parameter that has no entry: that of one that has taken no step.
    """
    for key in ("state", "param_groups"):
        if key not in state_dict:
            raise KeyError(f"state_dict: expected an entry {key!r}")
    state, saved_groups = state_dict["state"], state_dict["param_groups"]
    if len(saved_groups) != len(groups):
        raise ValueError("loaded state dict has a different number of parameter groups")
    new_groups = [_loaded_group(k, own, saved_groups[k]) for k, own in enumerate(groups)]
    keys = [key for group in saved_groups for key in group["params"]]
    known = set(keys)
    for key in state:
        if key not in known:
            raise ValueError(f"state: expected entries for the parameters of the groups, got {key!r}")
    states = [
        _loaded_state(i, slot, state[key]) if state.get(key) else new_state(slot.param)
        for i, (key, slot) in enumerate(zip(keys, slots, strict=True))
    ]
    return new_groups, states


def _loaded_group(k: int, own: Group, other: Mapping[str, Any]) -> Group:
    if "params" not in other:
        raise KeyError(f"param_groups[{k}]: expected an entry 'params'")
    if len(own["params"]) != len(other["params"]):
        raise ValueError(
            "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
        )
    names = own.get("param_names")
    if names is not None and other.get("param_names", names) != names:
        raise ValueError(f"param_groups[{k}]['param_names']: expected {names}, got {other['param_names']}")
    options = {key: to_array(value) for key, value in other.items() if key not in OWN}
    for key in REQUIRED:
        if key not in options:
            raise KeyError(f"param_groups[{k}]: expected an entry {key!r}")
        number(options[key], f"param_groups[{k}][{key!r}]")
    if callable(own["lr"]):
        options["lr"] = own["lr"]
    elif isinstance(options["lr"], np.ndarray):
        options["lr"] = options["lr"].copy()
    return {**own, "maximize": False, **options}


def _loaded_state(i: int, slot: Slot, entry: Mapping[str, Any]) -> dict[str, Array]:
    for key in slot.state:
        if key not in entry:
            raise KeyError(f"state[{i}]: expected an entry {key!r}")
    return {
        "step": np.array(step_count(entry["step"], f"state[{i}]['step']"), np.float32),
        "sum": cast_like(to_array(entry["sum"]), slot.state["sum"], f"state[{i}]['sum']"),
    }
