"""What changes between two steps: arrays, and the lists of the groups."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import RULES, Rule, accumulator, refuses, zeros
from helpers.oracle_step import make, oracle_step
from helpers.values import draw
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array


def normal(*shape: int, seed: int = 1) -> Array:
    return draw(np.random.default_rng(seed), shape, np.float32, "normal").copy()  # its own memory, to be resized


def label(rule: Rule, index: int) -> str:
    return f"[{index}]" if rule is TorchAdagrad else f"[{index}] ('param{index}')"


def set_shape(array: Array) -> None:
    array.shape = (3, 2)


def read_only(array: Array) -> None:
    array.flags.writeable = False


def as_integers(array: Any) -> None:
    array.dtype = np.int32


CHANGES = {
    "resize": (lambda a: a.resize(9, refcheck=False), ValueError, "{accum}: expected shape (9,), got (6,)"),
    "shape": (set_shape, ValueError, "{accum}: expected shape (3, 2), got (6,)"),
    "flags": (read_only, ValueError, "params{label}: expected a writeable array, got a read-only one"),
    "dtype": (
        as_integers,
        TypeError,
        "params{label}: expected a real or complex floating-point array of at most 64 bits a part, got int32",
    ),
}


# Deprecated since NumPy 2.5; as long as it can be done it must be noticed.
@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype) on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("change", "error", "message"), CHANGES.values(), ids=CHANGES)
def test_changed_parameter(rule: Rule, change: Callable[[Array], None], error: type[Exception], message: str) -> None:
    v, w = normal(4), normal(6)
    opt = make(rule, [v, w])
    opt.step([normal(4), normal(6)])
    change(w)
    before = v.copy(), accumulator(opt, 0).copy(), w.copy()
    message = message.format(accum=rule._accumulator + label(rule, 1), label=label(rule, 1))
    for _ in range(2):
        refuses(error, message, lambda: opt.step([normal(4), normal(*w.shape)]))
    for array, old in zip((v, accumulator(opt, 0), w), before, strict=True):
        assert_same_bits(array, old, "after a refusal")


@pytest.mark.parametrize("rule", RULES)
def test_change_taken_back(rule: Rule) -> None:
    w, expected, accum = normal(6), normal(6), np.full(6, 0.1, np.float32)
    opt = make(rule, [w])
    w.flags.writeable = False
    refuses(
        ValueError,
        f"params{label(rule, 0)}: expected a writeable array, got a read-only one",
        lambda: opt.step([normal(6)]),
    )
    w.flags.writeable = True
    opt.step([normal(6)])
    oracle_step(rule, [expected], [accum], [normal(6)])
    assert_same_bits(w, expected, "parameter")


@pytest.mark.parametrize("rule", RULES)
def test_resized_without_a_change_of_shape(rule: Rule) -> None:
    """The memory has moved: the step must not write where the array once was."""
    w = normal(6)
    opt = make(rule, [w])
    opt.step([normal(6)])
    old = w.copy()
    w.resize(10**6, refcheck=False)
    w.resize(6, refcheck=False)
    assert_same_bits(w, old, "resize keeps the numbers")
    expected, accum = w.copy(), accumulator(opt, 0).copy()
    opt.step([normal(6, seed=2)])
    oracle_step(rule, [expected], [accum], [normal(6, seed=2)])
    assert_same_bits(w, expected, "parameter")
    assert_same_bits(accumulator(opt, 0), accum, "accumulator")


@pytest.mark.parametrize("container", [list, tuple])
@pytest.mark.parametrize("rule", RULES)
def test_another_array_starts_anew(rule: Rule, container: Callable[[list[Array]], Any]) -> None:
    v, w, other = normal(4), normal(6), normal(6, seed=3)
    opt = make(rule, [v, w])
    opt.step([normal(4), normal(6)])
    opt.param_groups[0]["params"] = container([v, other])
    stays, w_stays = v.copy(), w.copy()
    expected, accum = other.copy(), np.full(6, 0.1, np.float32)
    for seed in range(3):
        opt.step([None, normal(6, seed=seed)])
        oracle_step(rule, [expected], [accum], [normal(6, seed=seed)])
        assert_same_bits(other, expected, f"step {seed}")
        assert_same_bits(accumulator(opt, 1), accum, f"accumulator, step {seed}")
    assert_same_bits(w, w_stays, "the array that was replaced")
    assert_same_bits(v, stays, "the one without a gradient")
    counters = (
        [*opt.global_step] if isinstance(opt, MindSporeAdagrad) else [state["step"] for state in opt.state.values()]
    )
    assert counters == ([1, 3] if rule is TorchAdagrad else [4])


def test_replaced_in_the_list() -> None:
    w, other = normal(6), normal(6, seed=3)
    opt = TorchAdagrad([w], lr=1.0)
    opt.step([normal(6)])
    w_stays = w.copy()
    opt.param_groups[0]["params"][0] = other
    opt.step([normal(6)])
    assert opt.state[0]["step"] == 1
    assert_same_bits(opt.state[0]["sum"], normal(6) * normal(6), "accumulator")
    assert_same_bits(w, w_stays, "the array that was replaced")
    opt.param_groups[0]["params"][0] = zeros(6, np.int64)
    refuses(
        TypeError,
        "params[0]: expected a real or complex floating-point array of at most 64 bits a part, got int64",
        lambda: opt.step([None]),
    )


def test_appended_and_removed() -> None:
    v, w = normal(4), normal(6)
    opt = TorchAdagrad([v])
    opt.step([normal(4)])
    opt.param_groups[0]["params"].append(w)
    refuses(ValueError, "grads: expected 2 arrays, one for each parameter, got 1", lambda: opt.step([normal(4)]))
    opt.step([normal(4), normal(6)])
    assert [state["step"] for state in opt.state.values()] == [2, 1]
    del opt.param_groups[0]["params"][0]
    opt.step([normal(6)])
    assert [state["step"] for state in opt.state.values()] == [2]
    opt.param_groups[0]["params"].append(v)
    opt.step([normal(6), normal(4)])
    assert [state["step"] for state in opt.state.values()] == [3, 1]


@pytest.mark.parametrize("rule", RULES)
def test_appended_without_a_name(rule: Rule) -> None:
    opt = rule({"v": normal(4)})
    opt.param_groups[0]["params"].append(normal(6))
    message = "param_groups[0]['param_names']: expected 2 names, got 1"
    refuses(ValueError, message, lambda: opt.step([normal(4), normal(6)]))
    opt.param_groups[0]["param_names"].append("w")
    opt.step({"w": normal(6), "v": None})
    assert opt.names == ["v", "w"]


@pytest.mark.parametrize("form", [dict, list, lambda pairs: tuple(pairs), iter])
@pytest.mark.parametrize("rule", RULES)
def test_names_are_those_of_now(rule: Rule, form: Callable[[list[tuple[str, Array | None]]], Any]) -> None:
    v, w = normal(6), normal(6)
    opt = make(rule, {"v": v, "w": w})
    for key in ("params", "param_names"):
        opt.param_groups[0][key].reverse()
    opt.step(form([("v", normal(6)), ("w", None)]))
    assert (v != normal(6)).all()
    assert_same_bits(w, normal(6), "the one without a gradient")
    opt.param_groups[0]["param_names"][:] = ["x", "y"]
    opt.param_groups[0]["params"][0] = other = normal(6)
    opt.step(form([("y", None), ("x", normal(6))]))
    assert (other != normal(6)).all()
