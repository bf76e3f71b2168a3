"""The entries of MindSpore's checkpoints: their names, and the arrays and rates under them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.hints import other_layout
from ..inputs.rounding import rounded
from ..inputs.tensors import to_array
from ..inputs.types import Array, Group
from ..inputs.validation import cast_like, check_dict, step_count
from ._mindspore_arguments import ACCUM, SHARED_RATE, check_legal, read_rate
from ._slots import Slot


def to_checkpoint(
    names: Sequence[str], slots: Sequence[Slot], groups: Sequence[Group], global_step: Array, *, parameters: bool
) -> dict[str, Array]:
    """Return the arrays themselves, and the learning rates that are not callables, by their names in a checkpoint."""
    made = {"global_step": global_step}
    for group in groups:
        rate = group["lr"]
        if not callable(rate):
            made[group["lr_name"]] = rate_array(rate)
    if parameters:
        made.update((name, slot.param) for name, slot in zip(names, slots, strict=True))
    made.update((f"{ACCUM}{name}", slot.state["accum"]) for name, slot in zip(names, slots, strict=True))
    return made


def check_shared_rates(owners: Iterable[tuple[str | None, int, Any]]) -> None:
    """Raise ValueError for groups that share a rate in MindSpore, but have different ones here.

    `owners` are triples of the rate's name in MindSpore, the number of a group, and its rate.
    """
    first: dict[str | None, tuple[int, Any]] = {}
    for name, k, rate in owners:
        j, known = first.setdefault(name, (k, rate))
        if not _same_rate(known, rate):
            expected = f"{known!r:.60}, the rate of param_groups[{j}], which shares {name!r} with it in MindSpore"
            cure = "give each group its own lr in the constructor"
            raise ValueError(f"param_groups[{k}]['lr']: expected {expected}, got {rate!r:.60}; {cure}")


def _same_rate(one: Any, other: Any) -> bool:
    if callable(one) or callable(other):  # MindSpore's checkpoints do not have callables
        return callable(one) and callable(other)
    return one is other or np.array_equal(rate_array(one), rate_array(other), equal_nan=True)


def rate_array(rate: Any) -> Array:
    """Return a learning rate that is not a callable as the array in which MindSpore keeps it."""
    return rounded(read_rate(rate), np.float32)


def from_checkpoint(
    state_dict: Mapping[str, Any], targets: Mapping[str, Array], names: Sequence[str], groups: Sequence[Group]
) -> tuple[dict[str, Array], list[Group]]:
    """Check a state dict against `targets`, the one that we would save; return the new values of the targets, and the
    groups with their new learning rates.
    """
    check_dict("state_dict", state_dict)
    keys = {key: key for key in (*targets, *names, *(group["lr_name"] for group in groups))}
    for name, saved in zip(names, _saved_names(state_dict, names), strict=True):
        keys[name], keys[f"{ACCUM}{name}"] = saved, f"{ACCUM}{saved}"
    accumulators = accumulators_of(state_dict)
    for key in targets:
        if keys[key] not in state_dict:
            lacks_accumulators = str(key).startswith(ACCUM) or not accumulators  # a name need not be text
            found = f", got the accumulators {[*accumulators]!r:.60}" if lacks_accumulators else ""
            got = other_layout(state_dict, keys.values()) or found
            raise KeyError(f"state_dict: expected an entry {keys[key]!r}{got}")
    allowed = set(keys.values())
    for key in state_dict:
        # Others are of the network, as the averages of BatchNorm, or of the program, as the number of the epoch.
        is_own = not isinstance(key, str) or key in accumulators or key.startswith(SHARED_RATE)
        if is_own and key not in allowed:
            raise KeyError(f"state_dict: expected entries for the parameters here, got {key!r}")
    values = {
        key: cast_like(to_array(state_dict[keys[key]], keys[key]), array, keys[key]) for key, array in targets.items()
    }
    step_count(state_dict["global_step"], "global_step", values["global_step"].dtype)
    rates = {key: values.pop(key) for key in {group["lr_name"] for group in groups} & set(values)}
    return values, [_with_rate(group, rates.get(group["lr_name"])) for group in groups]


def accumulators_of(state_dict: Mapping[Any, Any]) -> dict[str, str]:
    """Return the keys of the accumulators in a state dict, and the names of their parameters.

    A parameter may itself be called "accum.w"; then there is an "accum.accum.w".
    """
    return {
        key: key.removeprefix(ACCUM)
        for key in state_dict
        if isinstance(key, str) and key.startswith(ACCUM) and f"{ACCUM}{key}" not in state_dict
    }


def _saved_names(state_dict: Mapping[str, Any], names: Sequence[str]) -> Sequence[str]:
    """Return each parameter's name in a state dict: its own, or that at its position if either side's are automatic."""
    from ..checkpoint.content import are_automatic, match

    accumulators = accumulators_of(state_dict)
    saved = list(accumulators.values())
    if not saved or not (are_automatic(saved) or are_automatic(names)):
        return names  # an error for a name that is missing or unknown tells the key
    if len(saved) != len(names):
        raise ValueError(f"state_dict: expected {len(names)} entries {ACCUM}<name>, got {list(accumulators)}")
    return match(names, [len(names)], [saved], named=True)[0]


def _with_rate(group: Group, rate: Array | None) -> Group:
    if rate is None or callable(group["lr"]):
        return group
    if rate.ndim:
        return {**group, "lr": rate.copy()}
    check_legal(group["lr_name"], float(rate))
    return {**group, "lr": float(rate)}


def read_ckpt(path: str) -> Mapping[str, Any]:
    """Read a file of ``mindspore.save_checkpoint`` with MindSpore."""
    from ..checkpoint import CKPT

    if not path.endswith(CKPT):
        raise ValueError(f"expected the ending {CKPT}, as MindSpore reads no {path[-len(CKPT) :]}")
    with open(path, "rb") as file:  # MindSpore raises its own error if there is no file
        is_empty = not file.read(1)
    try:
        import mindspore
    except ImportError:
        raise ImportError("load: expected mindspore to be installed, which reads its own .ckpt files") from None
    if is_empty:
        raise ValueError("expected a checkpoint of MindSpore, got an empty file")
    try:
        return dict(mindspore.load_checkpoint(path))
    except Exception as error:  # of many types, depending on the damage
        text = " ".join(str(error).split())
        raise ValueError(f"expected a checkpoint of MindSpore, which says: {text:.200}") from None
