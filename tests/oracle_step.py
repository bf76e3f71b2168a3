"""One step of either rule beside the oracle, which sees ordinary copies of the same numbers."""

import numpy as np
from bits import assert_same_bits
from numpy_adagrad import TorchAdagrad
from reference import computing_type, mindspore_update, scaled_gradients, torch_update
from refusals import accumulator
from values import real_type

RATE, START = 0.037, 0.1


def make(rule, params, **more):
    if rule is TorchAdagrad:
        return rule(params, lr=RATE, initial_accumulator_value=START, **more)
    return rule(params, learning_rate=RATE, accum=START, **more)


def plain(array):
    return None if array is None else np.array(array, order="C", subok=False)


def oracle_step(rule, params, accums, grads, *, scaling=None, loss_scale=1.0, **options):
    """Move ordinary arrays by the first step of the rule."""
    kept_in, norm = (computing_type, {}) if rule is TorchAdagrad else (real_type, {"loss_scale": loss_scale})
    scaled = scaled_gradients(params, grads, kept_in, **(scaling or {}), **norm)
    for param, accum, grad in zip(params, accums, scaled, strict=True):
        if grad is None:
            continue
        if rule is TorchAdagrad:
            torch_update(param, accum, np.zeros((), np.float32), grad, lr=RATE, **options)
        else:
            mindspore_update(param, accum, grad, rate=RATE, **norm, **options)


def check_step(rule, params, grads, *, groups=None, make_with=None, scaling=None, **options):
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
