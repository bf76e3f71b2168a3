"""All or nothing: a refused or skipped step changes no byte of anything."""

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import RULES, Rule, refuses
from helpers.snapshots import SHAPES, gradients, snapshot, start, unchanged
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array


def misaligned(array: Array) -> Array:
    """The same numbers one byte off."""
    moved = np.zeros(array.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(array.shape)
    moved[...] = array
    return moved


# Each makes something wrong of a right gradient; the message is given the label and the shape.
WRONG = {
    "list": (lambda g, p: [1.0], TypeError, "{0}: expected a NumPy array, got list"),
    "masked": (
        lambda g, p: np.ma.array(g),
        TypeError,
        "{0}: expected an array without a mask, got MaskedArray",
    ),
    "object": (
        lambda g, p: g.astype(object),
        TypeError,
        "{0}: expected float32, got object; cast it with .astype(np.float32)",
    ),
    "wide": (
        lambda g, p: g.astype(np.float64),
        TypeError,
        "{0}: expected float32, got float64; cast it with .astype(np.float32)",
    ),
    "shape": (lambda g, p: g[..., np.newaxis], ValueError, "{0}: expected shape {1}, got {2}"),
    "swapped": (
        lambda g, p: g.astype(g.dtype.newbyteorder("S")),
        ValueError,
        f"{{0}}: expected native byte order, got {np.dtype(np.float32).newbyteorder('S').str}",
    ),
    "misaligned": (
        lambda g, p: misaligned(g),
        ValueError,
        "{0}: expected an array aligned to its elements, got a misaligned one",
    ),
    "parameter": (
        lambda g, p: p,
        ValueError,
        "{0}: expected its own memory, got the same array as {3}",
    ),
    "view": (
        lambda g, p: p[...],
        ValueError,
        "{0}: expected its own memory, got an overlap with {3}",
    ),
}


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("spoil", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_gradient(
    rule: Rule, position: int, spoil: Callable[[Array, Array], Any], error: type[Exception], message: str
) -> None:
    opt, params = start(rule)
    name, grads = list(SHAPES)[position], gradients()
    grads[position] = spoil(grads[position], params[name])
    shape = SHAPES[name]
    labels = [f"{role}[{position}] ('{name}')" for role in ("grads", "params")]
    message = message.format(labels[0], shape, (*shape, 1), labels[1])
    unchanged(opt, params, grads, error, message, lambda: opt.step(grads))
    unchanged(opt, params, grads, error, message, lambda: opt.step(grads, max_norm=1.0, grad_scale=2.0))
    unchanged(opt, params, grads, error, message, lambda: opt.step(closure=lambda: (0.0, grads)))
    unchanged(opt, params, grads, error, message, lambda: opt.step(grads, on_nonfinite="skip"))


def fail(*_: object) -> NoReturn:
    raise LookupError("no rate today")


LATER: dict[str, dict[str, Any]] = {
    "first_rate": {"lr": (fail, 0.1)},
    "second_rate": {"lr": (0.1, fail)},
    "rate_of_a_wrong_kind": {"lr": (lambda step: 0.1 + step, lambda step: "0.1")},
    "rate_after_another": {"lr": (lambda step: 0.1 + step, fail)},
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("rates", [case["lr"] for case in LATER.values()], ids=LATER)
def test_failing_schedule(rule: Rule, rates: tuple[Any, Any]) -> None:
    opt, params = start(rule)
    for group, rate in zip(opt.param_groups, rates, strict=True):
        group["lr"] = rate
    name = "lr" if rule is TorchAdagrad else "learning_rate"
    error = LookupError if fail in rates else TypeError
    message = "no rate today" if fail in rates else f"{name}: expected a number or a 1-element array, got str"
    grads = gradients()
    unchanged(opt, params, grads, error, message, lambda: opt.step(grads))


def test_failing_decay() -> None:
    opt, params = start(MindSporeAdagrad)
    opt.param_groups[1]["weight_decay"] = fail
    grads = gradients()
    unchanged(opt, params, grads, LookupError, "no rate today", lambda: opt.step(grads))


@pytest.mark.parametrize("rule", RULES)
def test_failing_closure(rule: Rule) -> None:
    opt, params = start(rule)
    unchanged(opt, params, (), LookupError, "no rate today", lambda: opt.step(closure=fail))

    def inner() -> Any:
        opt.step(gradients())

    name = rule.__name__
    message = f"{name}: called from inside one of its own steps"
    unchanged(opt, params, (), RuntimeError, message, lambda: opt.step(closure=inner))
    opt.step(closure=lambda: (0.0, gradients()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("rule", RULES)
def test_not_finite(rule: Rule, position: int, value: float) -> None:
    opt, params = start(rule)
    grads = gradients()
    grads[position][(0,) * grads[position].ndim] = value
    before = snapshot(opt, params, grads)
    norm = abs(value)
    message = f"grads: expected finite values, got a norm of {norm}"
    clippings: list[dict[str, Any]] = [{}, {"max_norm": 1.0}]
    for clipping in clippings:
        refuses(FloatingPointError, message, partial(opt.step, grads, on_nonfinite="raise", **clipping))
        assert_same_bits(np.float64(opt.grad_norm), np.float64(norm), "norm")
        assert snapshot(opt, params, grads) == before | {"norm": repr(opt.grad_norm)}
    for skipped in (1, 2):
        assert opt.step(grads, on_nonfinite="skip") is None
        assert snapshot(opt, params, grads) == before | {"norm": repr(opt.grad_norm), "skipped": skipped}
    opt.step(gradients(), on_nonfinite="skip")
    assert opt.skipped_steps == 2
    assert snapshot(opt, params)["parameter b"] != before["parameter b"]


@pytest.mark.parametrize("rule", RULES)
def test_gradients_are_only_read(rule: Rule) -> None:
    opt, params = start(rule)
    for options in ({}, {"grad_scale": 3.7}, {"max_norm": 0.1}, {"on_nonfinite": "raise"}):
        grads, before = gradients(), snapshot(opt, params)
        opt.step(grads, **options)
        assert snapshot(opt, params)["parameter e"] != before["parameter e"]
        for grad, same in zip(grads, gradients(), strict=True):
            assert_same_bits(grad, same, f"{options}")


@pytest.mark.parametrize("rule", RULES)
def test_a_refused_step_uses_no_rate(rule: Rule) -> None:
    """The state dict holds the rates that a step has used, and no others."""
    opt, _ = start(rule)
    for group in opt.param_groups:
        group["lr"] = lambda step: 1.0 + step
    opt.step(gradients())
    before = opt.state_dict()
    grads: list[Any] = gradients()
    grads[4] = None if rule is TorchAdagrad else grads[4]
    grads[3][0, 0] = np.inf
    opt.step(grads, on_nonfinite="skip")
    refuses(TypeError, "grads[0] ('a'): expected a NumPy array, got int", lambda: opt.step([0, *grads[1:]]))
    after = opt.state_dict()
    assert {k: repr(v) for k, v in after.items()} == {k: repr(v) for k, v in before.items()}
