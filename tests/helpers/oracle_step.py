"""One step of either rule beside the oracle, which sees ordinary copies of the same numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from helpers.bits import assert_same_bits
from helpers.errors import Rule, accumulator
from helpers.oracle import computing_type, mindspore_update, scaled_gradients, torch_update
from helpers.values import real_type
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array, Params

RATE, START = 0.037, 0.1


def make(rule: Rule, params: Params, **more: Any) -> TorchAdagrad | MindSporeAdagrad:
    if rule is TorchAdagrad:
        return TorchAdagrad(params, lr=RATE, initial_accumulator_value=START, **more)
    return MindSporeAdagrad(params, learning_rate=RATE, accum=START, **more)


def plain(array: npt.ArrayLike | None) -> Any:
    return None if array is None else np.array(array, order="C", subok=False)


def oracle_step(
    rule: Rule,
    params: Sequence[Array],
    accums: Sequence[Array],
    grads: Sequence[Array | None],
    *,
    scaling: Mapping[str, Any] | None = None,
    loss_scale: float = 1.0,
    **options: Any,
) -> None:
    """Move ordinary arrays by the first step of the rule."""
    kept_in = computing_type if rule is TorchAdagrad else real_type
    norm: dict[str, Any] = {} if rule is TorchAdagrad else {"loss_scale": loss_scale}
    scaled = scaled_gradients(params, grads, kept_in, **(scaling or {}), **norm)
    for param, accum, grad in zip(params, accums, scaled, strict=True):
        if grad is None:
            continue
        if rule is TorchAdagrad:
            torch_update(param, accum, np.zeros((), np.float32), grad, lr=RATE, **options)
        else:
            mindspore_update(param, accum, grad, rate=RATE, **norm, **options)


def check_step(
    rule: Rule,
    params: Iterable[Array],
    grads: Iterable[npt.ArrayLike | None],
    *,
    groups: Any = None,
    make_with: Mapping[str, Any] | None = None,
    scaling: Mapping[str, Any] | None = None,
    **options: Any,
) -> TorchAdagrad | MindSporeAdagrad:
    """Step and compare. `options` go to the oracle, `make_with` and `groups` say the same to the optimizer."""
    params, grads = list(params), list(grads)
    opt = make(rule, params if groups is None else groups, **(options if make_with is None else make_with))
    expected, before = [plain(p) for p in params], [plain(g) for g in grads]
    accums = [plain(accumulator(opt, i)) for i in range(len(params))]
    oracle_step(rule, expected, accums, [plain(g) for g in grads], scaling=scaling, **options)
    opt.step(grads, **(scaling or {}))
    for i, param in enumerate(params):
        assert_same_bits(plain(param), expected[i], f"parameter {i}")
        assert_same_bits(plain(accumulator(opt, i)), accums[i], f"accumulator {i}")
        if grads[i] is not None:
            assert_same_bits(plain(grads[i]), before[i], f"gradient {i}, which is only read")
    return opt
