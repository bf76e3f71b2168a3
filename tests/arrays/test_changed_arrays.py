"""Parameters and lists of groups that change between two steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import START, Dialect
from helpers.errors import raises, raises_unchanged
from helpers.values import normal, zeros
from numpy_adagrad.inputs.types import Array


def set_shape(array: Array) -> None:
    array.shape = (3, 2)


def read_only(array: Array) -> None:
    array.flags.writeable = False


def as_integers(array: Any) -> None:
    array.dtype = np.int32


CHANGES = {
    "resize": (lambda a: a.resize(9, refcheck=False), ValueError, "{accum}: expected shape (9,), got (6,)"),
    "shape": (set_shape, ValueError, "{accum}: expected shape (3, 2), got (6,)"),
    "flags": (read_only, ValueError, "{param}: expected a writeable array, got a read-only one; copy it with .copy()"),
    "dtype": (as_integers, TypeError, "{param}: {dialect.no_floats}int32"),
}


# Deprecated since NumPy 2.5; as long as it can be done it must be noticed.
@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype) on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize(("change", "error", "message"), CHANGES.values(), ids=CHANGES)
def test_changed_parameter(
    dialect: Dialect, change: Callable[[Array], None], error: type[Exception], message: str
) -> None:
    v, w = normal(4), normal(6)
    opt = dialect.make([v, w])
    opt.step([normal(4), normal(6)])
    change(w)
    key = dialect.optimizer._accumulator
    message = message.format(accum=dialect.label(key, 1), param=dialect.label("params", 1), dialect=dialect)
    for _ in range(2):
        raises_unchanged(opt, error, message, lambda: opt.step([normal(4), normal(*w.shape)]))


def test_change_taken_back(dialect: Dialect) -> None:
    w, expected, accum = normal(6), normal(6), np.full(6, START, np.float32)
    opt = dialect.make([w])
    w.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        opt.step([normal(6)])
    w.flags.writeable = True
    opt.step([normal(6)])
    dialect.first_step([expected], [accum], [normal(6)])
    assert_same_bits(w, expected, "parameter")


def test_resized_without_a_change_of_shape(dialect: Dialect) -> None:
    """The memory has moved: the step must not write where the array once was."""
    w = normal(6)
    opt = dialect.make([w])
    opt.step([normal(6)])
    old = w.copy()
    w.resize(10**6, refcheck=False)
    w.resize(6, refcheck=False)
    assert_same_bits(w, old, "resize keeps the numbers")
    expected, accum = w.copy(), dialect.accumulator(opt, 0).copy()
    opt.step([normal(6, seed=2)])
    dialect.first_step([expected], [accum], [normal(6, seed=2)])
    assert_same_bits(w, expected, "parameter")
    assert_same_bits(dialect.accumulator(opt, 0), accum, "accumulator")


@pytest.mark.parametrize("container", [list, tuple])
def test_another_array_starts_anew(dialect: Dialect, container: Callable[[list[Array]], Any]) -> None:
    v, w, other = normal(4), normal(6), normal(6, seed=3)
    opt = dialect.make([v, w])
    opt.step([normal(4), normal(6)])
    opt.param_groups[0]["params"] = container([v, other])
    stays, w_stays = v.copy(), w.copy()
    expected, accum = other.copy(), np.full(6, START, np.float32)
    for seed in range(3):
        opt.step([None, normal(6, seed=seed)])
        dialect.first_step([expected], [accum], [normal(6, seed=seed)])
        assert_same_bits(other, expected, f"step {seed}")
        assert_same_bits(dialect.accumulator(opt, 1), accum, f"accumulator, step {seed}")
    assert_same_bits(w, w_stays, "the array that was replaced")
    assert_same_bits(v, stays, "the one without a gradient")
    assert dialect.steps(opt) == ([1, 3] if dialect.counts_each else [4])


def test_replaced_in_the_list(dialect: Dialect) -> None:
    w, other = normal(6), normal(6, seed=3)
    opt = dialect.make([w])
    opt.step([normal(6)])
    opt.param_groups[0]["params"][0] = other
    w_stays, expected, accum = w.copy(), other.copy(), np.full(6, START, np.float32)
    opt.step([normal(6)])
    dialect.first_step([expected], [accum], [normal(6)])
    assert dialect.steps(opt) == ([1] if dialect.counts_each else [2])
    assert_same_bits(other, expected, "parameter")
    assert_same_bits(dialect.accumulator(opt, 0), accum, "accumulator")
    assert_same_bits(w, w_stays, "the array that was replaced")
    opt.param_groups[0]["params"][0] = zeros(6, np.int64)
    with pytest.raises(TypeError, match="got int64"):
        opt.step([None])


def test_appended_and_removed(dialect: Dialect) -> None:
    """Parameters without a given name: where the rule gives them one, their list changes too."""
    v, w = normal(4), normal(6)
    opt = dialect.make([v])
    group = opt.param_groups[0]
    names = group.get("param_names", [])
    opt.step([normal(4)])

    def append(param: Array, name: str) -> None:
        group["params"].append(param)
        if opt.names:
            names.append(name)

    append(w, "w")
    with pytest.raises(ValueError, match="expected 2, one for each parameter, got 1"):
        opt.step([normal(4)])
    seen = [dialect.steps(opt)]
    opt.step([normal(4), normal(6)])
    seen.append(dialect.steps(opt))
    del group["params"][0], names[:1]
    opt.step([normal(6)])
    seen.append(dialect.steps(opt))
    append(v, "v")
    opt.step([normal(6), normal(4)])
    seen.append(dialect.steps(opt))
    assert seen == ([[1, 0], [2, 1], [2], [3, 3]] if dialect.counts_each else [[1], [2], [3], [4]])


def test_appended_without_a_name(dialect: Dialect) -> None:
    opt = dialect.optimizer({"v": normal(4)})
    opt.param_groups[0]["params"].append(normal(6))
    message = "param_groups[0]['param_names']: expected 2 names, got 1"
    raises(ValueError, message, lambda: opt.step([normal(4), normal(6)]))
    opt.param_groups[0]["param_names"].append("w")
    opt.step({"w": normal(6), "v": None})
    assert opt.names == ["v", "w"]


@pytest.mark.parametrize("form", [dict, list, lambda pairs: tuple(pairs), iter])
def test_names_are_those_of_now(dialect: Dialect, form: Callable[[list[tuple[str, Array | None]]], Any]) -> None:
    v, w = normal(6), normal(6)
    opt = dialect.make({"v": v, "w": w})
    for key in ("params", "param_names"):
        opt.param_groups[0][key].reverse()
    opt.step(form([("v", normal(6)), ("w", None)]))
    assert (v != normal(6)).all()
    assert_same_bits(w, normal(6), "the one without a gradient")
    opt.param_groups[0]["param_names"][:] = ["x", "y"]
    opt.param_groups[0]["params"][0] = other = normal(6)
    opt.step(form([("y", None), ("x", normal(6))]))
    assert (other != normal(6)).all()
