"""The options of each parameter, read from a live ``mindspore.nn.Adagrad``."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..optimizers._mindspore_arguments import SHARED_RATE
from ..optimizers._mindspore_cells import FromCell


class ParameterOptions(NamedTuple):
    """The options of one parameter."""

    rate: Any
    """MindSpore's object: a Parameter of 0 or 1 dimensions, or a schedule."""

    decay: float | FromCell
    centralizes: bool

    @property
    def rate_name(self) -> str | None:
        """The name of the rate in a checkpoint; a schedule has none."""
        return str(self.rate.name) if hasattr(self.rate, "asnumpy") else None


def live_options(optimizer: Any) -> list[ParameterOptions]:
    """Read the rate, decay and centralization of each parameter."""
    count = len(optimizer.parameters)
    rates = optimizer.get_lr_parameter(list(optimizer.parameters))
    decays = optimizer.weight_decay if optimizer.is_group else [optimizer.weight_decay] * count
    flags = optimizer.grad_centralization_flags if optimizer.is_group else [False] * count
    return [
        ParameterOptions(rate, live_decay(decay, optimizer.loss_scale), bool(flag))
        for rate, decay, flag in zip(rates, decays, flags, strict=True)
    ]


def live_rate(rate: Any) -> Any:
    """Return a rate as `MindSporeAdagrad` takes it: a copied array, or a callable."""
    return np.array(rate.asnumpy()) if hasattr(rate, "asnumpy") else FromCell(rate)


def live_decay(decay: Any, loss_scale: float) -> float | FromCell:
    """Return a decay as it was given. MindSpore stores it multiplied by `loss_scale`."""
    return float(decay.asnumpy()) / loss_scale if hasattr(decay, "asnumpy") else FromCell(decay.weight_decay)


def default_rate(optimizer: Any, options: list[ParameterOptions]) -> Any:
    """Return the rate of groups without one."""
    for each in options:
        if not optimizer.is_group_lr or each.rate_name == SHARED_RATE:
            return live_rate(each.rate)
    return _not_kept if optimizer.init_learning_rate is None else optimizer.init_learning_rate


def _not_kept(step: int) -> float:
    raise RuntimeError(
        "learning_rate: expected a rate for the new group, as MindSpore does not keep a default schedule"
    )
