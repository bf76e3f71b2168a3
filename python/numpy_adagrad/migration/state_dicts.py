"""State dicts of one framework in the layout of the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.tensors import identity, to_array, to_parameter, to_tensor
from ..inputs.types import Array
from ..inputs.validation import number, step_count
from ..optimizers._mindspore_arguments import SHARED_RATE
from ..optimizers.torch import TorchAdagrad

ACCUM = "accum."
MOST_STEPS = {"mindspore": 2**31 - 1, "torch": 2**24}  # what the counters hold: int32, float32


def translate_state(
    source: str,
    target: str,
    state_dict: Mapping[str, Any],
    *,
    names: Sequence[str] | None = None,
    groups: Sequence[Sequence[str]] | None = None,
    parameters: Sequence[Any] | None = None,
    tensors: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Return a state dict of one framework's Adagrad in the layout of the other's.

    | torch | MindSpore |
    |---|---|
    | `state[i]["sum"]` | `accum.<name>` |
    | `state[i]["step"]`, each | `global_step`, one for all |
    | `param_groups[k]["lr"]` | `learning_rate`; with several groups `learning_rate_group_<k>`; in float32 |

    Both accumulators are the sum of the squared gradients and of what they started from, so that no value changes.
    All other options are no state in MindSpore: `translate` carries them.

    Parameters
    ----------
    source, target : 'torch' or 'mindspore'
        Whose layout the state dict has, and whose it shall have.
    state_dict : mapping
        Of the framework itself or of this package, with arrays or tensors. Parameters that MindSpore keeps beside the
        accumulators are left out.
    names : sequence of str, optional
        The parameters' names in torch's order: for MindSpore where the state dict of torch has none (default:
        ``param0``, ``param1``, ...), for torch where the order is not that of the accumulators in `state_dict`.
    groups : sequence of sequences of str, optional
        For torch: the names of each group's parameters, which MindSpore does not save. Needed where there are rates
        of several groups; group `k` takes ``learning_rate_group_<k>`` if there is one.
    parameters : sequence of arrays or tensors, optional
        For MindSpore: the parameters themselves in torch's order, to be saved beside the accumulators.
    tensors : bool, default False
        Copy arrays into what the target framework loads: torch tensors, or MindSpore parameters. Otherwise arrays
        are those of `state_dict` where they can be. For MindSpore this needs `parameters`: where they are missing,
        ``mindspore.load_param_into_net`` 2.10 takes ``accum.`` for a prefix and loads accumulators into parameters.
    **options
        For torch: options of its groups, with the defaults of `TorchAdagrad`. `lr` takes the place of a rate that is
        not in `state_dict`, because it is a schedule, or that is a list.

    Returns
    -------
    dict
        What ``load_state_dict`` of the target's optimizer takes. For a group of torch's with an `lr_decay` no rate is
        there, as for every schedule of MindSpore's.

    Raises
    ------
    KeyError, TypeError, ValueError
        For what is missing or cannot be carried: steps that differ between parameters, complex accumulators, a list
        of rates, rates of groups that are not told.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad import TorchAdagrad, translate_state
    >>> opt = TorchAdagrad({"w": np.zeros(2, np.float32)}, lr=0.5)
    >>> opt.step({"w": np.array([1, 2], np.float32)})
    >>> for key, value in translate_state("torch", "mindspore", opt.state_dict()).items():
    ...     print(key, value)
    global_step [1]
    learning_rate 0.5
    accum.w [1. 4.]
    """
    if (source, target) == ("torch", "mindspore"):
        if options or groups is not None:
            raise TypeError(f"{next(iter(options), 'groups')}: expected no options for MindSpore, which saves none")
        if tensors and parameters is None:
            raise TypeError("parameters: expected them beside tensors=True, got None")
        return _to_mindspore(state_dict, names, parameters, to_parameter if tensors else _named)
    if (source, target) == ("mindspore", "torch"):
        if parameters is not None:
            raise TypeError("parameters: expected None for torch, whose state dicts have none")
        return _to_torch(state_dict, names, groups, to_tensor if tensors else identity, options)
    raise ValueError(f"source, target: expected 'torch' and 'mindspore' or the reverse, got {source!r} and {target!r}")


def _named(name: str, array: Array) -> Array:
    return array


def _to_mindspore(
    state_dict: Mapping[str, Any],
    names: Sequence[str] | None,
    parameters: Sequence[Any] | None,
    convert: Callable[[str, Array], Any],
) -> dict[str, Any]:
    groups, state = _entry(state_dict, "param_groups"), _entry(state_dict, "state")
    keys = [key for group in groups for key in group["params"]]
    if names is None:
        given = [name for group in groups for name in group.get("param_names", [])]
        names = given or [f"param{i}" for i in range(len(keys))]
    if len(names) != len(keys):
        raise ValueError(f"names: expected {len(keys)}, got {len(names)}")
    entries = [_entry(state, key, "state") for key in keys]
    steps = {_count(_entry(entry, "step", "state"), "mindspore") for entry in entries}
    if len(steps) != 1:
        raise ValueError(f"step: expected one number of steps, as MindSpore has one for all, got {sorted(steps)}")
    arrays = {"global_step": np.array([*steps], np.int32)}
    for k, group in enumerate(groups):
        if number(group.get("lr_decay", 0), "lr_decay") == 0:
            name = SHARED_RATE if len(groups) == 1 else f"{SHARED_RATE}_group_{k}"
            arrays[name] = np.array(number(to_array(_entry(group, "lr", f"param_groups[{k}]")), "lr"), np.float32)
    if parameters is not None:
        if len(parameters) != len(keys):
            raise ValueError(f"parameters: expected {len(keys)}, got {len(parameters)}")
        arrays.update((name, _real(name, param)) for name, param in zip(names, parameters, strict=True))
    arrays.update((f"{ACCUM}{name}", _real(name, entry["sum"])) for name, entry in zip(names, entries, strict=True))
    return {name: convert(name, array) for name, array in arrays.items()}


def _to_torch(
    state_dict: Mapping[str, Any],
    names: Sequence[str] | None,
    groups: Sequence[Sequence[str]] | None,
    convert: Callable[[Array], Any],
    options: dict[str, Any],
) -> dict[str, Any]:
    sums = {key.removeprefix(ACCUM): _real(key, value) for key, value in state_dict.items() if key.startswith(ACCUM)}
    if groups is None:
        several = [key for key in state_dict if key.startswith(f"{SHARED_RATE}_group_")]
        if several and "lr" not in options:
            raise ValueError(f"groups: expected the names in each, as there is a rate {several[0]!r}, got None")
        groups = [list(sums) if names is None else names]
    order = [name for group in groups for name in group]
    if sorted(order) != sorted(sums):
        raise ValueError(f"names: expected those of the accumulators, {list(sums)}, got {order}")
    step = np.array(_count(_entry(state_dict, "global_step"), "torch"), np.float32)
    saved_groups, start = [], 0
    for k, group in enumerate(groups):
        rate = options["lr"] if "lr" in options else _rate(state_dict, k)
        (made,) = TorchAdagrad([np.zeros(1)], **{**options, "lr": rate}).state_dict()["param_groups"]
        stop = start + len(group)
        saved_groups.append({**made, "params": list(range(start, stop)), "param_names": list(group)})
        start = stop
    state = {i: {"step": convert(step.copy()), "sum": convert(sums[name])} for i, name in enumerate(order)}
    return {"state": state, "param_groups": saved_groups}


def _rate(state_dict: Mapping[str, Any], k: int) -> float:
    """Return the rate of group `k`, as a number."""
    own = f"{SHARED_RATE}_group_{k}"
    key = own if own in state_dict else SHARED_RATE
    if key not in state_dict:
        raise KeyError(f"lr: expected a rate, as the state dict has none, which is a schedule's, got no {key!r}")
    rate = to_array(state_dict[key])
    if np.ndim(rate):
        raise ValueError(f"lr: expected one rate, as torch has no list of rates, got {key!r} of {len(rate)}")
    return number(rate, key)


def _entry(mapping: Mapping[Any, Any], key: Any, label: str = "state_dict") -> Any:
    if key not in mapping:
        raise KeyError(f"{label}: expected an entry {key!r}")
    return mapping[key]


def _count(steps: Any, target: str) -> int:
    """Check that the target's counter can hold so many steps."""
    count = step_count(steps, "step")
    if count > MOST_STEPS[target]:
        raise ValueError(f"step: expected at most {MOST_STEPS[target]}, got {count:.0f}")
    return int(count)


def _real(label: str, value: Any) -> Array:
    array: Array = to_array(value)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(array).__name__}")
    if array.dtype.kind == "c":
        raise TypeError(f"{label}: expected real values, as MindSpore has no complex parameters, got {array.dtype}")
    return array
