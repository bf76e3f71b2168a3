"""State dicts of MindSpore's Adagrad: read them, and write those of any rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.tensors import to_parameter
from ..inputs.types import Array
from ..inputs.validation import check_shape, step_count
from ..optimizers._mindspore_arguments import ACCUM, GROUP_RATE, MAX_STEPS, SHARED_RATE, check_names, group_rate
from ..optimizers._mindspore_entries import accumulators_of, rate_array
from .saved_state import Groups, State, check_steps, given_names, read_array, read_own


def read_state(
    state_dict: Mapping[str, Any], *, names: Sequence[str] | None, groups: Groups, with_rates: bool
) -> State:
    """Read a state dict of MindSpore, which has neither groups nor their order."""
    steps = step_count(read_own(state_dict, "global_step", _is_own), "global_step")
    names = None if names is None else given_names(names, "names")
    accumulators = {name: _real(key, state_dict[key]) for key, name in accumulators_of(state_dict).items()}
    label = "names" if groups is None else "groups"
    if groups is None:
        several = [key for key in state_dict if GROUP_RATE.fullmatch(str(key))]
        if several and with_rates:
            raise ValueError(f"groups: expected the names in each, as there is a rate {several[0]!r}, got None")
        groups = [list(accumulators) if names is None else names]
    elif isinstance(groups, (str, bytes)) or not isinstance(groups, Iterable):
        raise TypeError(f"groups: expected a sequence of sequences of names, got {type(groups).__name__}")
    else:
        groups = [given_names(group, f"groups[{k}]") for k, group in enumerate(groups)]
    order = [name for group in groups for name in group]
    if sorted(order) != sorted(accumulators):
        raise ValueError(f"{label}: expected those of the accumulators, {list(accumulators)}, got {order}")
    if names not in (None, order):
        raise ValueError(f"names: expected those of groups, {order}, or None, got {names}")
    return State(
        names=order,
        accumulators=[accumulators[name] for name in order],
        steps=[steps] * len(order),
        group_sizes=[len(group) for group in groups],
        rates=[_saved_rate(state_dict, k) if with_rates else None for k in range(len(groups))],
    )


def _is_own(key: Any) -> bool:
    return key == "global_step" or str(key).startswith(ACCUM)


def _saved_rate(state_dict: Mapping[str, Any], k: int) -> Array | None:
    own = group_rate(k)
    key = own if own in state_dict else SHARED_RATE
    return rate_array(state_dict[key]) if key in state_dict else None


def write_state(
    state: State, *, parameters: Sequence[Any] | None, tensors: bool, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Make a state dict of MindSpore, which has no options."""
    if options:
        raise TypeError(f"{next(iter(options))}: expected no options for MindSpore, which saves none")
    if tensors and parameters is None:
        raise TypeError("parameters: required with tensors=True, got None")
    count = len(state.accumulators)
    names = state.names or [f"param{i}" for i in range(count)]
    steps = {check_steps(steps, MAX_STEPS) for steps in state.steps}
    if len(steps) != 1:
        raise ValueError(f"step: expected one number of steps, as MindSpore has one for all, got {sorted(steps)}")
    check_names([{"param_names": names}], {}, grouped=len(state.rates) > 1, label="names")
    arrays = {"global_step": np.array([*steps], np.int32)}
    for k, rate in enumerate(state.rates):
        if rate is not None:
            name = SHARED_RATE if len(state.rates) == 1 else group_rate(k)
            arrays[name] = rate.astype(np.float32)
    if parameters is not None:
        if not isinstance(parameters, Collection) or isinstance(parameters, (str, bytes, Mapping)):
            raise TypeError(f"parameters: expected a sequence of arrays, got {type(parameters).__name__}")
        if len(parameters) != count:
            raise ValueError(f"parameters: expected {count}, got {len(parameters)}")
        for i, (name, sum_, param) in enumerate(zip(names, state.accumulators, parameters, strict=True)):
            label = f"parameters[{i}] ({name!r})"
            arrays[name] = _real(label, param)
            check_shape(label, sum_.shape, arrays[name].shape)
    arrays.update((f"{ACCUM}{name}", _real(name, sum_)) for name, sum_ in zip(names, state.accumulators, strict=True))
    return {name: to_parameter(name, array) if tensors else array for name, array in arrays.items()}


def _real(label: str, value: Any) -> Array:
    array = read_array(label, value)
    if array.dtype.kind == "c":
        raise TypeError(f"{label}: expected real values, as MindSpore has no complex parameters, got {array.dtype}")
    return array
