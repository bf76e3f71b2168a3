"""The argument table of torch's and MindSpore's Adagrad as a function."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..optimizers.mindspore import MindSporeAdagrad
from ..optimizers.torch import TorchAdagrad
from .mindspore import FROM_MINDSPORE
from .notes import OWN, Note, Table
from .torch import FROM_TORCH

OPTIMIZERS: Mapping[str, type[TorchAdagrad | MindSporeAdagrad]] = {"torch": TorchAdagrad, "mindspore": MindSporeAdagrad}
TABLES: Mapping[str, Table] = {"torch": FROM_TORCH, "mindspore": FROM_MINDSPORE}
NAMES = {"torch": "torch", "mindspore": "MindSpore"}


class Translation(NamedTuple):
    """What `translate` returns."""

    arguments: dict[str, Any]
    """Arguments of the target, in the order of its signature, beside the parameters."""

    notes: list[Note]
    """What became of each argument, in the order of the source's signature."""


def translate(source: str, target: str, /, **arguments: Any) -> Translation:
    """Translate the arguments of one framework's Adagrad into those of the other's.

    | torch | MindSpore |
    |---|---|
    | `lr=0.01` | `learning_rate=0.001` |
    | `lr_decay` | a callable or list as `learning_rate` |
    | `weight_decay` | `weight_decay`: one rounding more, and by default not of all |
    | `initial_accumulator_value=0` | `accum=0.1` |
    | `eps=1e-10`, added to the root | 1e-8 under the root, not configurable |
    | `foreach`, `differentiable`, `fused` | nothing |
    | `maximize` | nothing: negate the gradients |
    | nothing | `update_slots` |
    | `grad_scale` of a step | `loss_scale` |

    Parameters
    ----------
    source, target : 'torch' or 'mindspore'
        From which to which; one of each.
    **arguments
        Arguments of the source's optimizer but for the parameters. `TorchAdagrad` and `MindSporeAdagrad` have all
        those of the frameworks, and ``state_dtype``, ``sparse_weight_decay`` and ``allocate`` of their own.

    Returns
    -------
    Translation
        ``arguments`` for the target's optimizer, ours or the framework's, in plain Python numbers. What was not given
        is written out where the target would start from something else. A rate that changes is a callable, which
        the frameworks do not take; its note says what to give them.

        ``notes``, one for each argument given and for each default that differs.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an argument that the source does not have or would refuse, or a value that the target refuses.

    Examples
    --------
    >>> from numpy_adagrad import translate
    >>> arguments, notes = translate("torch", "mindspore", lr=0.05, lr_decay=1e-3)
    >>> arguments
    {'accum': 0.0, 'learning_rate': DecayedRate(lr=0.05, lr_decay=0.001)}
    >>> for note in notes:
    ...     print(note.kind, note.argument)
    exact lr
    no counterpart lr_decay
    defaults differ initial_accumulator_value
    approximated eps
    """
    for role, name in (("source", source), ("target", target)):
        if name not in OPTIMIZERS:
            raise ValueError(f"{role}: expected 'torch' or 'mindspore', got {name!r}")
    if source == target:
        raise ValueError(f"target: expected the other framework than the source, got {target!r} twice")
    defaults, target_defaults = defaults_of(source), defaults_of(target)
    for name in arguments:
        if name not in defaults:
            raise TypeError(f"arguments: expected those of {NAMES[source]} ({', '.join(defaults)}), got {name!r}")
    check(source, arguments)

    options = {**defaults, **arguments}
    translated: dict[str, Any] = {}
    notes: list[Note] = []
    for name, counterpart in TABLES[source].items():
        kind, text, result = counterpart(options)
        if name not in arguments and name != "eps":
            if all(value == target_defaults[key] for key, value in result.items()):
                continue
            ((key, value),) = result.items()
            kind = "defaults differ"
            text = (
                f"{NAMES[source]} takes {options[name]!r} by default, {NAMES[target]} {target_defaults[key]!r}: "
                f"{key}={value!r}."
            )
        translated.update(result)
        notes.append(Note(kind, name, text))
    check(target, translated)
    return Translation({key: translated[key] for key in target_defaults if key in translated}, notes)


def defaults_of(framework: str) -> dict[str, Any]:
    """Return the arguments of an optimizer but for the parameters, with their defaults, in order."""
    parameters = inspect.signature(OPTIMIZERS[framework]).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def check(framework: str, arguments: Mapping[str, Any]) -> None:
    """Let the optimizer itself check its arguments, over an array of one number.

    Those of `OWN` depend on the parameters, and are checked with them.
    """
    checked = {name: value for name, value in arguments.items() if name not in OWN}
    if framework == "torch" and not checked.get("fused"):
        # Ours has the fused path only, but torch has these; with fused=True torch refuses them too.
        checked = {name: value for name, value in checked.items() if name not in ("foreach", "differentiable")}
    OPTIMIZERS[framework]([np.zeros(1, np.float32)], **checked)
