"""Read and check arguments in the forms of MindSpore: groups, `order_params`, names, learning rates."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, count, islice
from typing import Any

import numpy as np

from ..inputs.containers import are_groups, members, read_group
from ..inputs.hints import scheduler
from ..inputs.rounding import ieee
from ..inputs.tensors import any_array
from ..inputs.types import Array, Group
from ..inputs.validation import check_unmasked, is_real, is_schedule, number
from ._mindspore_cells import from_cell

SHARED_RATE = "learning_rate"
ACCUM = "accum."
MAX_STEPS = 2**31 - 1
"""The largest number of MindSpore's int32 counter."""
EXPECTED_RATE = "learning_rate: expected a number, a sequence, a 1-dimensional array or a callable, got"
GROUP_RATE = re.compile(rf"{SHARED_RATE}_group_\d+")


def group_rate(k: int) -> str:
    """Return the name of the learning rate of group `k` in a checkpoint."""
    return f"{SHARED_RATE}_group_{k}"


def read_groups(params: Any) -> tuple[list[Group], bool]:
    """Return the groups, in the order of `order_params` if given, and whether `params` were given in groups.

    Each group gets `param_names`, and `lr_name`, the name of its learning rate in a checkpoint.
    """
    if params is None:
        raise ValueError("params: expected arrays, got None")
    if not are_groups(params):
        groups = [read_group({"params": params, "lr_name": SHARED_RATE})]
        if not groups[0]["params"]:
            raise ValueError("params: expected at least one array, got none")
        return name_all(groups, 0), False
    order = [item for item in params if "order_params" in item]
    groups = []
    for k, item in enumerate(params):
        if "order_params" not in item:
            groups.append(named_rate(read_group(item), k))
    name_all(groups, 0)
    return (_ordered(groups, order) if order else groups), True


def named_rate(group: Group, k: int) -> Group:
    """Add the checkpoint name of the learning rate to group number `k` in the order given."""
    return {**group, "lr_name": group_rate(k) if "lr" in group else SHARED_RATE}


def name_all(groups: list[Group], start: int, taken: Collection[str] = ()) -> list[Group]:
    """Name the arrays without a name param0, param1, ..., but for `taken` names, with the number `start` first."""
    free = (name for i in count(start) if (name := f"param{i}") not in taken)
    for group in groups:
        group.setdefault("param_names", list(islice(free, len(group["params"]))))
    return groups


def _ordered(groups: list[Group], order: list[Mapping[str, Any]]) -> list[Group]:
    """Split the groups so that their parameters follow each other in the order of `order_params`."""
    if len(order) > 1 or set(order[0]) != {"order_params"}:
        raise ValueError(
            "order_params: expected one group with that key alone, got "
            + (f"{len(order)} of them" if len(order) > 1 else f"the keys {sorted(order[0])}")
        )
    wanted, _ = members(order[0]["order_params"], "order_params")
    owners = {id(p): (group, i) for group in groups for i, p in enumerate(group["params"])}
    if len(wanted) != len(owners):
        expected = f"expected every parameter exactly once, {len(owners)} in all"
        raise ValueError(f"order_params: {expected}, got {len(wanted)} entries")
    runs: list[Group] = []
    last = None
    for k, param in enumerate(wanted):
        if id(param) not in owners:
            if any(param is one for one in wanted[:k]):
                raise ValueError(f"order_params[{k}]: expected each parameter once, got one a second time")
            got = "another array" if isinstance(param, np.ndarray) else f"a {type(param).__name__}"
            raise ValueError(f"order_params[{k}]: expected a parameter of the groups, got {got}")
        group, i = owners.pop(id(param))
        if group is not last:
            runs.append({**group, "params": [], "param_names": []})
        runs[-1]["params"].append(param)
        runs[-1]["param_names"].append(group["param_names"][i])
        last = group
    return runs


def check_names(groups: list[Group], known: Mapping[str, int], *, grouped: bool, label: str = "params") -> None:
    """Raise an error for names that mean something else in a checkpoint; `known` has the names of earlier groups."""
    lists = [group["param_names"] for group in groups if isinstance(group["param_names"], (list, tuple))]
    for name in chain(*lists):
        if not isinstance(name, str):
            raise TypeError(f"{label}: expected names of type str, got {name!r}")
    names = dict.fromkeys(chain(*lists))
    for name in names:
        accumulator = name.removeprefix(ACCUM)
        is_accumulator = accumulator != name and (accumulator in names or accumulator in known)
        is_rate = name == SHARED_RATE or (grouped and GROUP_RATE.fullmatch(name))
        if name == "global_step" or is_rate or is_accumulator or f"{ACCUM}{name}" in known:
            raise ValueError(f"{label}: expected names that a checkpoint does not use itself, got {name!r}")


def check_list_lengths(groups: list[Group]) -> None:
    """Raise ValueError unless all lists of rates have one length."""
    rates = [group.get("lr") for group in groups]
    lengths = {rate.size for rate in rates if isinstance(rate, np.ndarray) and rate.ndim > 0}
    if len(lengths) > 1:
        raise ValueError(f"learning_rate: expected sequences of one length, got {sorted(lengths)}")


def given_rate(rate: Any) -> Any:
    """Return a learning rate as `read_rate` does, also one that an iterator or a schedule of MindSpore gives."""
    return read_rate(list(rate) if isinstance(rate, Iterator) else from_cell(rate))


def given_decay(decay: Any) -> Any:
    """Return a weight decay as `read_decay` does, also one that a schedule of MindSpore gives."""
    return read_decay(from_cell(decay))


def read_rate(rate: Any) -> Any:
    """Return a learning rate as a float, as a float32 array with one value for each step, or as a callable."""
    if type(rate) is float and 0 <= rate < math.inf:
        return rate
    if is_schedule(rate, "learning_rate"):
        return rate
    if isinstance(rate, str):
        raise ValueError(f"{EXPECTED_RATE} {rate!r}")
    if isinstance(rate, (bool, int, float)):
        rate = number(rate, "learning_rate")
        check_legal("learning rate", rate)
        return rate
    array = any_array(rate, "learning_rate")
    if array is None:
        if not issubclass(type(rate), Iterable):
            raise TypeError(f"{EXPECTED_RATE} {type(rate).__name__}{scheduler(rate)}")
        if isinstance(rate, Iterator):  # written to a group, which each step reads
            raise TypeError(f"{EXPECTED_RATE} {type(rate).__name__}, which can be read only once; give list(...)")
        # MindSpore takes any iterable: also bytes and keys as numbers, and sets, whose order changes between runs.
        if isinstance(rate, (bytes, bytearray, set, frozenset, Mapping)):
            raise TypeError(f"{EXPECTED_RATE} {type(rate).__name__}")
        array = np.array([number(item, f"learning_rate[{k}]") for k, item in enumerate(rate)])
    check_unmasked("learning_rate", array)
    if not is_real(array.dtype):
        raise TypeError(f"{EXPECTED_RATE} {type(rate).__name__} of dtype {array.dtype}")
    if array.ndim > 1:
        raise ValueError(f"learning_rate: expected an array of 0 or 1 dimensions, got {array.ndim}")
    with ieee():
        return array.astype(np.float32) if array.ndim else read_rate(float(array))


def read_decay(decay: Any) -> Any:
    if type(decay) is float and 0 <= decay < math.inf:
        return decay
    if is_schedule(decay, "weight_decay"):
        return decay
    decay = number(decay, "weight_decay")
    check_legal("weight_decay", decay)
    return decay


def read_centralization(centralize: Any) -> bool:
    if not isinstance(centralize, bool):
        raise TypeError(type_text("grad_centralization", "bool", centralize))
    return centralize


def read_options(group: Group) -> Group:
    """Return a group with its options checked."""
    return {
        **group,
        "lr": given_rate(group["lr"]),
        "weight_decay": given_decay(group["weight_decay"]),
        "grad_centralization": read_centralization(group["grad_centralization"]),
    }


def rate_at(rates: Array, step: int) -> float:
    """Return the rate of a step from a list of rates."""
    if step >= len(rates):
        raise RuntimeError(f"learning_rate: expected a rate for global_step {step}, got a sequence of {len(rates)}")
    return float(rates[step])


def shifted(rate: float) -> float:
    """Return a fixed rate as MindSpore rounds it beside a dynamic one."""
    one = np.float32(1)
    with np.errstate(all="ignore"):
        return float((np.float32(rate) + one) - one)


def scaled_decay(decay: float, loss_scale: float) -> float:
    """Return a schedule's weight decay for the scaled gradient."""
    with np.errstate(all="ignore"):
        return float(np.float32(decay) * np.float32(loss_scale))


def check_legal(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"For 'Adagrad', the '{name}' must be a legal value, but got '{value}'.")
    if value < 0:
        raise ValueError(value_text(name, ">= 0", value))


def type_text(name: str, expected: str, value: Any) -> str:
    kind = type(value)
    got = f"{kind.__module__}.{kind.__name__}" if kind.__name__ == expected else kind.__name__
    return f"For 'Adagrad', the type of '{name}' should be '{expected}', but got type '{got}'."


def value_text(name: str, bound: str, value: Any) -> str:
    kind = type(value).__name__
    return f"For 'Adagrad', the '{name}' must be float and must {bound}, but got '{value}' with type '{kind}'."
