"""State dicts of torch's Adagrad: read them, and write those of any rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.containers import read_names
from ..inputs.tensors import identity, to_tensor
from ..inputs.types import Array
from ..inputs.validation import check_hashable, number, read_entry, step_count
from ..optimizers.torch import TorchAdagrad
from .saved_state import Groups, State, check_steps, given_names, read_array, read_list, read_own
from .spec import PACKAGE_OPTIONS

MAX_STEPS = 2**24
"""The largest number that torch's float32 counter reaches."""


def read_state(
    state_dict: Mapping[str, Any], *, names: Sequence[str] | None, groups: Groups, with_rates: bool
) -> State:
    """Read a state dict of torch, which has its own groups."""
    if groups is not None:
        raise TypeError("groups: expected None, as a state dict of torch has its own")
    read_own(state_dict, "param_groups", lambda key: key in ("state", "param_groups"))
    saved_groups = read_list(state_dict, "param_groups", "state_dict")
    params = [read_list(group, "params", f"param_groups[{k}]") for k, group in enumerate(saved_groups)]
    for k, group in enumerate(params):
        for key in group:
            check_hashable(f"param_groups[{k}]['params']", key)
    keys = [key for group in params for key in group]
    state = read_entry(state_dict, "state", "state_dict")
    entries = [read_entry(state, key, "state") for key in keys]
    sums = [read_entry(entry, "sum", f"state[{key!r}]") for key, entry in zip(keys, entries, strict=True)]
    steps = [read_entry(entry, "step", f"state[{key!r}]") for key, entry in zip(keys, entries, strict=True)]
    saved_names = [*read_names(saved_groups)]
    if names is None:
        names = saved_names or None
    else:
        names = given_names(names, "names")
        if len(names) != len(keys):
            raise ValueError(f"names: expected {len(keys)}, got {len(names)}")
        if names != saved_names and set(names) == set(saved_names):
            raise ValueError(f"names: expected the order of the state dict, {saved_names}, got {names}")
    labels = names or [f"state[{key!r}]['sum']" for key in keys]
    return State(
        names=names,
        accumulators=[read_array(label, array) for label, array in zip(labels, sums, strict=True)],
        steps=[step_count(value, f"state[{key!r}]['step']") for key, value in zip(keys, steps, strict=True)],
        group_sizes=[len(group) for group in params],
        rates=[_saved_rate(group, k) if with_rates else None for k, group in enumerate(saved_groups)],
    )


def _saved_rate(group: Mapping[str, Any], k: int) -> Array | None:
    if number(group.get("lr_decay", 0), "lr_decay") != 0:
        return None
    return np.array(number(read_entry(group, "lr", f"param_groups[{k}]"), "lr"))


def write_state(
    state: State, *, parameters: Sequence[Any] | None, tensors: bool, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Make a state dict of torch, with groups of these options."""
    if parameters is not None:
        raise TypeError("parameters: expected None for torch, whose state dicts have none")
    for name in ("params", "sparse_weight_decay", *PACKAGE_OPTIONS):
        if name in options:
            raise TypeError(f"{name}: expected an option of torch's groups, which have no such entry")
    convert = to_tensor if tensors else identity
    saved_groups: list[dict[str, Any]] = []
    start = 0
    for size, rate in zip(state.group_sizes, state.rates, strict=True):
        # An optimizer checks the options and adds the defaults.
        lr = options["lr"] if "lr" in options else _rate_number(rate)
        optimizer = TorchAdagrad([np.zeros(1)], **{**options, "lr": lr})
        (group,) = optimizer.state_dict()["param_groups"]
        members = range(start, start + size)
        saved_groups.append({**group, "params": list(members)})
        if state.names is not None:
            saved_groups[-1]["param_names"] = [state.names[i] for i in members]
        start += size
    entries = {
        i: {"step": convert(np.array(check_steps(steps, MAX_STEPS), np.float32)), "sum": convert(accumulator)}
        for i, (steps, accumulator) in enumerate(zip(state.steps, state.accumulators, strict=True))
    }
    return {"state": entries, "param_groups": saved_groups}


def _rate_number(rate: Array | None) -> float:
    if rate is None:
        raise KeyError("lr: expected a rate, as a state dict holds none for a schedule")
    if rate.ndim:
        raise ValueError(f"lr: expected one rate, as torch has no list of rates, got a list of {len(rate)}")
    return number(rate, "lr")
