"""How a step is called: forms of gradients, closures, options; what is refused changes nothing."""

import copy
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.errors import Rule
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array, Grads
from numpy_adagrad.optimizers._base import Optimizer

RULES = [TorchAdagrad, MindSporeAdagrad]
each_rule = pytest.mark.parametrize("rule", RULES)


def ones(size: int = 3) -> Array:
    return np.ones(size)


def refused(optimizer: Optimizer, call: Callable[[], object]) -> tuple[type[Exception], tuple[Any, ...]]:
    before = contents(optimizer)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller compares type and text
        call()
    assert contents(optimizer) == before
    return type(caught.value), caught.value.args


Refusal: TypeAlias = tuple[dict[str, Any], type[Exception], str]
NEITHER = "step: expected either grads or closure"
NUMBER = "expected a number or a 1-element array, got"
CALLS: list[Refusal] = [
    ({}, TypeError, NEITHER),
    ({"grads": [ones(), ones(2)], "closure": lambda: (0, [])}, TypeError, NEITHER),
    ({"grads": ones()}, TypeError, "grads: expected a sequence with an array for each parameter, got one array"),
    ({"grads": 1.0}, TypeError, "grads: expected arrays in the form of the parameters, got float"),
    ({"grads": "ab"}, TypeError, "grads: expected arrays in the form of the parameters, got str"),
    ({"grads": {1, 2}}, TypeError, "grads: expected arrays in the form of the parameters, got set"),
    ({"grads": [ones()]}, ValueError, "grads: expected 2 arrays, one for each parameter, got 1"),
    ({"grads": []}, ValueError, "grads: expected 2 arrays, one for each parameter, got 0"),
    ({"grads": [ones()] * 3}, ValueError, "grads: expected 2 arrays, one for each parameter, got 3"),
    ({"closure": lambda: (0.5, [ones()])}, ValueError, "grads: expected 2 arrays, one for each parameter, got 1"),
]
KINDS = "('propagate', 'skip', 'raise')"
SCALINGS: list[Refusal] = [
    ({"on_nonfinite": "ignore"}, ValueError, f"on_nonfinite: expected one of {KINDS}, got 'ignore'"),
    ({"grad_scale": 0}, ValueError, "grad_scale: expected a positive number within float32, got 0"),
    ({"grad_scale": -1.0}, ValueError, "grad_scale: expected a positive number within float32, got -1.0"),
    ({"grad_scale": float("nan")}, ValueError, "grad_scale: expected a positive number within float32, got nan"),
    ({"grad_scale": 1e39}, ValueError, "grad_scale: expected a positive number within float32, got 1e+39"),
    ({"grad_scale": 1e-46}, ValueError, "grad_scale: expected a positive number within float32, got 1e-46"),
    ({"grad_scale": "2"}, TypeError, f"grad_scale: {NUMBER} str"),
    ({"max_norm": -1}, ValueError, "max_norm: expected a number of at least 0, got -1"),
    ({"max_norm": float("nan")}, ValueError, "max_norm: expected a number of at least 0, got nan"),
    ({"max_norm": [1.0]}, TypeError, f"max_norm: {NUMBER} list"),
]  # fmt: skip
TABLE = CALLS + [({"grads": [ones(), ones(2)], **arguments}, kind, text) for arguments, kind, text in SCALINGS]


@each_rule
@pytest.mark.parametrize(("arguments", "kind", "message"), TABLE, ids=[text for *_, text in TABLE])
def test_refusals(rule: Rule, arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    optimizer = rule([ones(), ones(2)])
    assert refused(optimizer, lambda: optimizer.step(**arguments)) == (kind, (message,))


def test_an_unnamed_torch_optimizer_takes_no_mapping() -> None:
    optimizer = TorchAdagrad([ones()])
    text = "grads: expected a sequence, as the parameters have no names, got a mapping"
    assert refused(optimizer, lambda: optimizer.step({"w": ones()})) == (TypeError, (text,))


@each_rule
@pytest.mark.parametrize("form", [dict, lambda pairs: list(pairs)])
def test_names_of_gradients(rule: Rule, form: Callable[[Iterable[tuple[str, Array | None]]], Grads]) -> None:
    optimizer = rule({"a": ones(), "b": ones(2)})
    for pairs, text in (
        ([("a", ones())], "grads: expected one for each parameter (None for no gradient), got none for 'b'"),
        ([("a", ones()), ("b", None), ("c", None)], "grads: expected the names of the parameters, got 'c'"),
    ):
        assert refused(optimizer, partial(optimizer.step, form(pairs))) == (KeyError, (text,))
    optimizer.step(form([("b", None), ("a", ones())]))
    a, b = optimizer.param_groups[0]["params"]
    assert_same_bits(b, ones(2))
    assert np.all(a < 1)
    optimizer.step([None, ones(2)])
    assert np.all(b < 1)


def test_a_name_twice_among_pairs() -> None:
    optimizer = TorchAdagrad({"a": ones(), "b": ones(2)})
    pairs = [("a", ones()), ("a", ones()), ("b", ones(2))]
    text = "grads: expected unique names, got 2 for 3 gradients"
    assert refused(optimizer, lambda: optimizer.step(pairs)) == (ValueError, (text,))


@each_rule
def test_a_call_is_a_step(rule: Rule) -> None:
    called, stepped = rule([ones()]), rule([ones()])
    assert called([ones()], max_norm=0.5) is None
    stepped.step([ones()], max_norm=0.5)
    assert contents(called) == contents(stepped)


@each_rule
def test_closures(rule: Rule) -> None:
    optimizer, reference = rule([ones(), ones(2)]), rule([ones(), ones(2)])
    loss = object()
    assert optimizer.step(closure=lambda: (loss, [ones(), None])) is loss
    assert optimizer(closure=lambda: (None, iter([ones(), ones(2)])), grad_scale=2.0) is None
    reference.step([ones(), None])
    reference.step([ones(), ones(2)], grad_scale=2.0)
    assert contents(optimizer) == contents(reference)


@each_rule
def test_a_closure_that_fails(rule: Rule) -> None:
    optimizer = rule([ones()])
    error = ZeroDivisionError("in the closure")

    def closure() -> tuple[int, list[Array]]:
        raise error

    assert refused(optimizer, lambda: optimizer.step(closure=closure)) == (ZeroDivisionError, error.args)
    optimizer.step([ones()])


def reentries(optimizer: TorchAdagrad | MindSporeAdagrad) -> dict[str, Callable[[], object]]:
    group, saved = {"params": [ones(5)]}, copy.deepcopy(optimizer.state_dict())
    return {
        "step": lambda: optimizer.step([ones(), None]),
        "call": lambda: optimizer([ones(), None]),
        "load_state_dict": lambda: optimizer.load_state_dict(saved),
        "add_param_group": lambda: optimizer.add_param_group(group),
    }


@each_rule
@pytest.mark.parametrize("entry", ["step", "call", "load_state_dict", "add_param_group"])
def test_reentry(rule: Rule, entry: str) -> None:
    """From a closure and from a schedule, which reading the state is open to."""
    text = f"{rule.__name__}: called from inside one of its own steps"
    active: list[Callable[[], object]] = []

    def schedule(step: int) -> float:
        if active:
            active[0]()
        return 0.5

    optimizer = rule([{"params": [ones()]}, {"params": [ones(2)], "lr": schedule}])
    reenter = reentries(optimizer)[entry]

    def closure() -> tuple[int, list[Array]]:
        assert optimizer.state_dict()
        reenter()
        return 0, [ones(), ones(2)]

    assert refused(optimizer, lambda: optimizer.step(closure=closure)) == (RuntimeError, (text,))
    active.append(reenter)
    assert refused(optimizer, lambda: optimizer.step([ones(), ones(2)])) == (RuntimeError, (text,))
    active.clear()
    reenter()


@each_rule
def test_another_thread_waits_for_a_closure(rule: Rule) -> None:
    optimizer, reference = rule([ones()]), rule([ones()])
    other = threading.Thread(target=optimizer.step, args=([2 * ones()],))

    def closure() -> tuple[int, list[Array]]:
        other.start()
        other.join(0.1)
        assert other.is_alive()
        return 0, [ones()]

    optimizer.step(closure=closure)
    other.join(30)
    reference.step([ones()])
    reference.step([2 * ones()])
    assert contents(optimizer) == contents(reference)


@each_rule
@pytest.mark.parametrize(("bad", "shown"), [(np.inf, "inf"), (-np.inf, "inf"), (np.nan, "nan")])
def test_gradients_that_are_not_finite(rule: Rule, bad: float, shown: str) -> None:
    optimizer = rule([ones(), ones(2)])
    grads = [ones(), np.array([1.0, bad])]
    text = f"grads: expected finite values, got a norm of {shown}"
    assert refused(optimizer, lambda: optimizer.step(grads, on_nonfinite="raise")) == (FloatingPointError, (text,))
    before = contents(optimizer)
    optimizer.step(grads, on_nonfinite="skip")
    assert contents(optimizer) == [*before[:-1], 1]
    optimizer.step(grads)
    assert np.isnan(optimizer.param_groups[0]["params"][1][1])
    assert optimizer.skipped_steps == 1
