"""The oracle's step of each rule, all in one form."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from helpers.oracle import computing_type, mindspore_update, scaled_gradients, torch_update
from helpers.values import real_type
from numpy_adagrad.inputs.types import Array


class OracleStep(Protocol):
    """Updates ordinary arrays by the first step of a rule. Its options are those of the constructor and the group."""

    def __call__(
        self,
        params: Sequence[Array],
        accums: Sequence[Array],
        grads: Sequence[Array | None],
        rate: float,
        scaling: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None: ...


def torch_step(
    params: Sequence[Array],
    accums: Sequence[Array],
    grads: Sequence[Array | None],
    rate: float,
    scaling: Mapping[str, Any],
    options: Mapping[str, Any],
) -> None:
    scaled = scaled_gradients(params, grads, computing_type, **scaling)
    for param, accum, grad in zip(params, accums, scaled, strict=True):
        if grad is not None:
            torch_update(param, accum, np.zeros((), np.float32), grad, lr=rate, **options)


def mindspore_step(
    params: Sequence[Array],
    accums: Sequence[Array],
    grads: Sequence[Array | None],
    rate: float,
    scaling: Mapping[str, Any],
    options: Mapping[str, Any],
) -> None:
    loss_scale = options.get("loss_scale", 1.0)
    options = {"centralize" if key == "grad_centralization" else key: value for key, value in options.items()}
    scaled = scaled_gradients(params, grads, real_type, **scaling, loss_scale=loss_scale)
    for param, accum, grad in zip(params, accums, scaled, strict=True):
        if grad is not None:
            mindspore_update(param, accum, grad, rate=rate, **options)


ORACLES: dict[str, OracleStep] = {"torch": torch_step, "mindspore": mindspore_step}
