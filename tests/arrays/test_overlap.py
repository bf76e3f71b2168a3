"""Refusals of arrays that share memory, with their whole messages."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from helpers.errors import RULES, Rule, accumulator, refuses, zeros
from numpy.lib.stride_tricks import as_strided
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer

OWN = "expected its own memory, got "


def twice(array: Array) -> tuple[Array, Array]:
    return array, array


def pair(array: Array, first: Any, second: Any) -> tuple[Array, Array]:
    return array[first], array[second]


# Two parameters, w and b, and what is said of b.
PARAMETERS = {
    "same": (lambda: twice(zeros()), "the same array as params[0] ('w')"),
    "equal_views": (lambda: pair(zeros(), np.s_[:], np.s_[:]), "an overlap with params[0] ('w')"),
    "one_element": (lambda: pair(zeros(9), np.s_[:5], np.s_[4:]), "an overlap with params[0] ('w')"),
    "later_in_memory": (lambda: pair(zeros(9), np.s_[4:], np.s_[:5]), "an overlap with params[0] ('w')"),
    "inside": (lambda: pair(zeros(9), np.s_[:], np.s_[4:5]), "an overlap with params[0] ('w')"),
    "transpose": (lambda: (lambda a: (a, a.T))(zeros((3, 4))), "an overlap with params[0] ('w')"),
    "strides_that_meet": (lambda: pair(zeros(12), np.s_[::2], np.s_[::3]), "an overlap with params[0] ('w')"),
    "column_and_row": (lambda: pair(zeros((3, 4)), np.s_[:, 1], np.s_[2]), "an overlap with params[0] ('w')"),
    "reversed": (lambda: pair(zeros(9), np.s_[::-2], np.s_[4::-1]), "an overlap with params[0] ('w')"),
    "real_part": (lambda: (lambda a: (a.view(np.complex64), a[1::2]))(zeros(8)), "an overlap with params[0] ('w')"),
}


@pytest.mark.parametrize(("make", "message"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(make: Callable[[], tuple[Array, Array]], message: str) -> None:
    w, b = make()
    for rule in RULES[: 1 if w.dtype.kind == "c" else 2]:
        expected = f"params[1] ('b'): {OWN}{message}"
        refuses(ValueError, expected, partial(rule, {"w": w, "b": b}))
        in_groups = [{"params": {"w": w}}, {"params": {"b": b}}]
        refuses(ValueError, expected, partial(rule, in_groups))
        opt = rule([{"params": {"w": w}}])
        refuses(ValueError, expected, partial(opt.add_param_group, {"params": {"b": b}}))


@pytest.mark.parametrize("rule", RULES)
def test_the_first_in_the_order_given_is_named(rule: Rule) -> None:
    """Wherever the arrays lie in memory."""
    buffer = zeros(12)
    params = {"a": buffer[9:], "b": buffer[:3], "c": buffer[2:5], "d": buffer[8:10]}
    refuses(ValueError, f"params[2] ('c'): {OWN}an overlap with params[1] ('b')", lambda: rule(params))


@pytest.mark.parametrize("rule", RULES)
def test_repeated_array_appended_later(rule: Rule) -> None:
    """The array's accumulator is repeated too; the array itself is what the message names."""
    w = zeros()
    opt = rule({"w": w, "b": zeros()})
    opt.param_groups[0]["params"].append(w)
    opt.param_groups[0]["param_names"].append("v")
    refuses(ValueError, f"params[2] ('v'): {OWN}the same array as params[0] ('w')", lambda: opt.step([None] * 3))


# The gradients of w and b, two parameters of shape (3,), and what is said of the gradient of b.
GRADIENTS = {
    "its_parameter": (lambda opt, w, b: b, "the same array as params[1] ('b')"),
    "another_parameter": (lambda opt, w, b: w, "the same array as params[0] ('w')"),
    "view": (lambda opt, w, b: b[:], "an overlap with params[1] ('b')"),
    "reversed": (lambda opt, w, b: b[::-1], "an overlap with params[1] ('b')"),
    "broadcast": (lambda opt, w, b: np.broadcast_to(w[1:2], 3), "an overlap with params[0] ('w')"),
    "window": (lambda opt, w, b: as_strided(w[2:], (3,), (-4,)), "an overlap with params[0] ('w')"),
    "its_accumulator": (lambda opt, w, b: accumulator(opt, 1), "the same array as {0}[1] ('b')"),
    "another_accumulator": (lambda opt, w, b: accumulator(opt, 0)[:], "an overlap with {0}[0] ('w')"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("make", "message"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradient(rule: Rule, make: Callable[[Optimizer, Array, Array], Array], message: str) -> None:
    w, b = zeros(), zeros()
    opt = rule({"w": w, "b": b})
    message = message.format(rule._accumulator)
    refuses(ValueError, f"grads[1] ('b'): {OWN}{message}", lambda: opt.step([zeros(), make(opt, w, b)]))


@pytest.mark.parametrize("rule", RULES)
def test_gradient_among_many_strided_parameters(rule: Rule) -> None:
    """The columns of one buffer interleave: only the one that shares an element is named."""
    columns = zeros((5, 40))
    opt = rule([columns[:, i] for i in range(0, 40, 2)])
    label = "" if rule is TorchAdagrad else " ('param7')"
    own = "" if rule is TorchAdagrad else " ('param0')"
    free, taken = columns[:, 1], columns[:, 14]
    opt.step([free] * 20)
    refuses(
        ValueError, f"grads[0]{own}: {OWN}an overlap with params[7]{label}", lambda: opt.step([taken] + [free] * 19)
    )
