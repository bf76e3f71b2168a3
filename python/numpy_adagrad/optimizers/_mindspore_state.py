"""The layout of a checkpoint of ``mindspore.nn.Adagrad``: made, and checked before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.tensors import to_array
from ..inputs.types import Array, Group
from ..inputs.validation import cast_like, step_count
from ._mindspore_arguments import read_rate
from ._state import Slot


def saved(
    names: Sequence[str], slots: Sequence[Slot], groups: Sequence[Group], global_step: Array, *, parameters: bool
) -> dict[str, Array]:
    """Make a state dict of the arrays themselves, and of the rates that are no callables."""
    made = {"global_step": global_step}
    for group in groups:
        if not callable(group["lr"]):
            made[group["lr_name"]] = rate_array(group["lr"])
    if parameters:
        made.update((name, slot.param) for name, slot in zip(names, slots, strict=True))
    made.update((f"accum.{name}", slot.state["accum"]) for name, slot in zip(names, slots, strict=True))
    return made


def rate_array(rate: Any) -> Array:
    """Return a rate that is no callable as MindSpore holds it."""
    with np.errstate(all="ignore"):
        return np.array(read_rate(rate), np.float32)


def loaded(
    state_dict: Mapping[str, Any], targets: Mapping[str, Array], names: Sequence[str], groups: Sequence[Group]
) -> tuple[dict[str, Array], list[Group]]:
    """Check a state dict against `targets`, what we would save; return what to fill them with, and the groups."""
    for key in targets:
        if key not in state_dict:
            raise KeyError(f"state_dict: expected an entry {key!r}")
    allowed = {*targets, *names, *(group["lr_name"] for group in groups)}
    for key in state_dict:
        if key not in allowed:
            raise KeyError(f"state_dict: expected entries for the parameters here, got {key!r}")
    values = {key: cast_like(to_array(state_dict[key]), array, key) for key, array in targets.items()}
    steps = step_count(state_dict["global_step"], "global_step")
    if values["global_step"] != steps:
        raise ValueError(f"global_step: expected a number of steps within int32, got {steps:.0f}")
    rates = {key: values.pop(key) for key in {group["lr_name"] for group in groups} & set(values)}
    return values, [_with_rate(group, rates.get(group["lr_name"])) for group in groups]


def _with_rate(group: Group, rate: Array | None) -> Group:
    if rate is None:
        return group
    return {**group, "lr": rate.copy() if rate.ndim else float(rate)}


def load_ckpt(path: str) -> Mapping[str, Any]:
    """Read a file of ``mindspore.save_checkpoint`` by MindSpore itself."""
    with open(path, "rb"):  # MindSpore has errors of its own for what is not there
        pass
    try:
        import mindspore
    except ImportError:
        raise ImportError("load: expected mindspore to be installed, which reads its own .ckpt files") from None
    try:
        return dict(mindspore.load_checkpoint(path))
    except Exception as error:  # of every kind, by what is damaged
        raise ValueError(f"expected a checkpoint of MindSpore, got {' '.join(str(error).split()):.200}") from None
