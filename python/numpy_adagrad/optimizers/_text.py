"""How optimizers are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.types import Array, Group

SHOWN = 4
"""The number of parameters of a group that are printed. An array of more than twice as many values is abbreviated."""


def long_text(name: str, groups: Sequence[Group], fixed: Mapping[str, Any]) -> str:
    """Return the options of each group in the layout of torch, with `fixed`, the options that all groups share."""
    parts = []
    for k, group in enumerate(groups):
        shown = {**fixed, **group}
        if "params" in group:  # also of groups that no step would take
            shown["params"] = params_text(group["params"], group.get("param_names", ()))
        shown.pop("param_names", None)
        lines = [f"    {key}: {_value_text(shown[key])}\n" for key in sorted(shown)]
        parts.append(f"\nParameter Group {k}\n{''.join(lines)}")
    return f"{name} ({''.join(parts)})"


def short_text(name: str, groups: Sequence[Group], rate: str) -> str:
    """Return the size and the learning rate of each group, in one line."""
    parts = []
    for group in groups:
        count = len(group.get("params", ()))
        parts.append(f"{count} array{'' if count == 1 else 's'} at {rate}={_value_text(group.get(rate))}")
    return f"{name}({'; '.join(parts)})"


def params_text(params: Sequence[Array], names: Sequence[Any]) -> str:
    """Return name, shape and dtype of the first parameters, and the number of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.optimizers._text import params_text
    >>> params_text([np.zeros(3), np.zeros((3, 2), np.float32)], ["b", "W"])
    'b (3,) float64, W (3, 2) float32'
    """
    shown = [
        f"{param.shape} {param.dtype}" if isinstance(param, np.ndarray) else type(param).__name__
        for param in params[:SHOWN]
    ]
    if names:
        shown = [f"{name} {text}" for name, text in zip(names, shown, strict=False)]
    return ", ".join(shown) + (f" and {len(params) - SHOWN} more" if len(params) > SHOWN else "")


def _value_text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, threshold=2 * SHOWN, edgeitems=2)
    return str(value)
