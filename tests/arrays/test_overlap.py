"""Errors of arrays that share memory, with their whole messages."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.two_groups import SHAPES, gradients, start
from helpers.values import zeros
from numpy.lib.stride_tricks import as_strided
from numpy_adagrad.inputs.types import Array

OWN = "expected its own memory, got "
SAME, OVERLAP = f"{OWN}the same array as params[0] ('w')", f"{OWN}an overlap with params[0] ('w')"


def twice(array: Array) -> tuple[Array, Array]:
    return array, array


def pair(array: Array, first: Any, second: Any) -> tuple[Array, Array]:
    return array[first], array[second]


# Two parameters, w and b, and the message about b.
PARAMETERS = {
    "same": (lambda: twice(zeros()), SAME),
    "equal_views": (lambda: pair(zeros(), np.s_[:], np.s_[:]), OVERLAP),
    "one_element": (lambda: pair(zeros(9), np.s_[:5], np.s_[4:]), OVERLAP),
    "later_in_memory": (lambda: pair(zeros(9), np.s_[4:], np.s_[:5]), OVERLAP),
    "inside": (lambda: pair(zeros(9), np.s_[:], np.s_[4:5]), OVERLAP),
    "transpose": (lambda: (lambda a: (a, a.T))(zeros((3, 4))), OVERLAP),
    "strides_that_meet": (lambda: pair(zeros(12), np.s_[::2], np.s_[::3]), OVERLAP),
    "column_and_row": (lambda: pair(zeros((3, 4)), np.s_[:, 1], np.s_[2]), OVERLAP),
    "reversed": (lambda: pair(zeros(9), np.s_[::-2], np.s_[4::-1]), OVERLAP),
    "real_part": (lambda: (lambda a: (a.view(np.complex64), a[1::2]))(zeros(8)), OVERLAP),
}


@pytest.mark.parametrize(("make", "message"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(dialect: Dialect, make: Callable[[], tuple[Array, Array]], message: str) -> None:
    """Within a group, between two, and between a group and one that is added, in which case nothing is added."""
    w, b = make()
    if w.dtype.kind == "c" and not dialect.takes_complex:
        real = "params[0] ('w'): expected a real array, got a complex one"
        raises(TypeError, real, lambda: dialect.optimizer({"w": w, "b": b}))
        return
    message = f"params[1] ('b'): {message}"
    raises(ValueError, message, lambda: dialect.optimizer({"w": w, "b": b}))
    in_groups = [{"params": {"w": w}}, {"params": {"b": b}}]
    raises(ValueError, message, lambda: dialect.optimizer(in_groups))
    optimizer = dialect.optimizer(in_groups[:1])
    raises_unchanged(optimizer, ValueError, message, partial(optimizer.add_param_group, in_groups[1]))
    optimizer.add_param_group({"params": {"b": zeros()}})


def test_the_first_in_the_order_given_is_named(dialect: Dialect) -> None:
    """Wherever the arrays lie in memory."""
    buffer = zeros(12)
    params = {"a": buffer[9:], "b": buffer[:3], "c": buffer[2:5], "d": buffer[8:10]}
    message = f"params[2] ('c'): {OWN}an overlap with params[1] ('b')"
    raises(ValueError, message, lambda: dialect.optimizer(params))


def test_after_an_error_each_array_is_still_known(dialect: Dialect) -> None:
    params = {"w": zeros(), "b": zeros()}
    optimizer = dialect.optimizer([{"params": params}])
    for k, name in ((1, "b"), (0, "w"), (1, "b")):
        message = f"params[2] ('v'): {OWN}an overlap with params[{k}] ('{name}')"
        group = {"params": {"v": params[name][:]}}
        raises_unchanged(optimizer, ValueError, message, partial(optimizer.add_param_group, group))


@pytest.mark.parametrize("start", [0, 2])
def test_a_gradient_that_becomes_a_parameter(dialect: Dialect, start: int) -> None:
    """Its address was known from the step before, and was not checked against the new parameter."""
    buffer = zeros(9)
    optimizer = dialect.optimizer([{"params": {"w": zeros()}}])
    optimizer.step([buffer[:3]])
    optimizer.add_param_group({"params": {"b": buffer[start : start + 3]}})
    message = f"grads[0] ('w'): {OWN}an overlap with params[1] ('b')"
    raises_unchanged(optimizer, ValueError, message, partial(optimizer.step, [buffer[:3], zeros()]))
    optimizer.step([buffer[6:], zeros()])


def test_an_empty_gradient_has_no_memory(dialect: Dialect) -> None:
    w = zeros(9)
    optimizer = dialect.optimizer([w, zeros(0)])
    optimizer.step([np.ones_like(w), w[4:4]])
    assert (w < 0).all()


def test_repeated_array_appended_later(dialect: Dialect) -> None:
    """The array's accumulator is repeated too; the message names the array itself."""
    w = zeros()
    optimizer = dialect.optimizer({"w": w, "b": zeros()})
    optimizer.param_groups[0]["params"].append(w)
    optimizer.param_groups[0]["param_names"].append("v")
    raises(ValueError, f"params[2] ('v'): {SAME}", lambda: optimizer.step([None] * 3))


# A gradient of b, the second of the parameters w and b of shape (3,), and the message about it.
# `sums` are the accumulators.
GRADIENTS = {
    "its_parameter": (lambda w, b, sums: b, "the same array as params[1] ('b')"),
    "another_parameter": (lambda w, b, sums: w, "the same array as params[0] ('w')"),
    "view": (lambda w, b, sums: b[:], "an overlap with params[1] ('b')"),
    "reversed": (lambda w, b, sums: b[::-1], "an overlap with params[1] ('b')"),
    "broadcast": (lambda w, b, sums: np.broadcast_to(w[1:2], 3), "an overlap with params[0] ('w')"),
    "window": (lambda w, b, sums: as_strided(w[2:], (3,), (-4,)), "an overlap with params[0] ('w')"),
    "its_accumulator": (lambda w, b, sums: sums[1], "the same array as {0}[1] ('b')"),
    "another_accumulator": (lambda w, b, sums: sums[0][:], "an overlap with {0}[0] ('w')"),
}


@pytest.mark.parametrize(("make", "message"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradient(dialect: Dialect, make: Callable[[Array, Array, list[Array]], Array], message: str) -> None:
    w, b = zeros(), zeros()
    optimizer = dialect.optimizer({"w": w, "b": b})
    grads = [zeros(), make(w, b, dialect.accumulators(optimizer))]
    message = f"grads[1] ('b'): {OWN}{message}".format(dialect.optimizer._accumulator)
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step(grads), grads=grads)


@pytest.mark.parametrize("position", range(len(SHAPES)))
def test_gradient_at_any_position(dialect: Dialect, position: int) -> None:
    optimizer, params = start(dialect)
    name, grads = list(SHAPES)[position], gradients()
    for grad, got in ((params[name], "the same array as"), (params[name][...], "an overlap with")):
        grads[position] = grad
        message = f"grads[{position}] ('{name}'): {OWN}{got} params[{position}] ('{name}')"
        for scaling in ({}, {"max_norm": 1.0, "grad_scale": 2.0}, {"on_nonfinite": "skip"}):
            call = partial(optimizer.step, grads, **scaling)
            raises_unchanged(optimizer, ValueError, message, call, grads=grads)


def random_view(rng: np.random.Generator, table: Array) -> Array:
    """Any part of a table of three axes, or of its transpose."""
    index: list[Any] = []
    for extent in table.shape:
        begin, step = int(rng.integers(extent)), int(rng.choice([1, 1, 2, 3, -1, -2]))
        end = begin + int(rng.integers(1, extent + 1)) * (1 if step > 0 else -1)
        index.append(slice(begin, None if end < 0 else end, step) if rng.random() < 0.6 else begin)
    return table[(*index, ...)].T


@pytest.mark.parametrize("seed", range(20))
def test_random_views_of_one_table(dialect: Dialect, seed: int) -> None:
    """Exactly those that share no element with a parameter are accepted as parameters and as gradients."""
    rng = np.random.default_rng(seed)
    table = zeros((6, 7, 8))
    optimizer = dialect.optimizer([{"params": [zeros()]}])
    params: list[Array] = []
    for _ in range(150):
        view = random_view(rng, table)
        shared = [i for i, param in enumerate(params) if np.shares_memory(view, param)]
        if shared:
            first = dialect.label("params", shared[0] + 1)
            with pytest.raises(ValueError, match=re.escape(first) + "$"):
                optimizer.add_param_group({"params": [view]})
        else:
            optimizer.add_param_group({"params": [view]})
            params.append(view)
        if shared and params[0].shape == view.shape:
            with pytest.raises(ValueError, match=re.escape(first) + "$"):
                optimizer.step([None, view] + [None] * (len(params) - 1))
    assert len(params) > 5
    together = dialect.optimizer(params)
    together.step([np.ones_like(param) for param in params])
    assert np.count_nonzero(table) == sum(param.size for param in params)
