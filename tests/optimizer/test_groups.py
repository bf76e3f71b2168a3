"""Groups: their options, those added later, and errors of a group, which change nothing.

The errors of a parameter's array are in arrays/, those of a rule's own options in rules/.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.two_groups import gradients, start
from helpers.values import normal, zeros

NO_ARRAYS = "params: expected an array, a mapping, or a sequence of arrays, got "
UNORDERED = "params: expected an ordered collection, got a set, whose order changes between runs"
# The value of a group's `params`, the exception, the message with a place for an index.
PARAMS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "none": (lambda: None, TypeError, NO_ARRAYS + "NoneType"),
    "number": (lambda: 1.0, TypeError, NO_ARRAYS + "float"),
    "text": (lambda: "ab", TypeError, NO_ARRAYS + "str"),
    "set": (lambda: {1.0}, TypeError, UNORDERED),
    "same_name": (
        lambda: [("f", zeros()), ("f", zeros())],
        ValueError,
        "params: expected unique names, got 'f' twice",
    ),
    "some_named": (
        lambda: [("f", zeros()), zeros()],
        ValueError,
        "params: expected all with names or all without, got some of each",
    ),
    "triple": (
        lambda: [("a", None, 1)],
        TypeError,
        "params: expected pairs (name, array), got ('a', None, 1)",
    ),
    "number_as_name": (lambda: [(1, None)], TypeError, "params: expected pairs (name, array), got (1, None)"),
    "second_of_two": (
        lambda: {"f": zeros(), "g": zeros(3, bool)},
        TypeError,
        "params[{}] ('g'): {dialect.no_floats}bool",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), PARAMS.values(), ids=PARAMS)
def test_params_of_a_group(dialect: Dialect, make: Callable[[], Any], error: type[Exception], message: str) -> None:
    raises(error, message.format(1, dialect=dialect), lambda: dialect.optimizer([{"params": make()}]))
    if make() is not None:  # without groups, each rule has its own error for None
        raises(error, message.format(1, dialect=dialect), lambda: dialect.optimizer(make()))
    optimizer, _ = start(dialect)
    group = {"params": make()}
    raises_unchanged(optimizer, error, message.format(6, dialect=dialect), lambda: optimizer.add_param_group(group))
    optimizer.add_param_group({"params": {"f": zeros()}})
    optimizer.step([*gradients(), zeros()])


def test_group_without_params(dialect: Dialect) -> None:
    """The type is that of both frameworks."""
    group = {dialect.group_rate: 0.1}
    message = f"param_groups: expected groups with an entry 'params', got the keys ['{dialect.group_rate}']"
    raises(KeyError, message, lambda: dialect.optimizer([group]))
    optimizer, _ = start(dialect)
    raises_unchanged(optimizer, KeyError, message, lambda: optimizer.add_param_group(group))


def test_name_that_is_taken(dialect: Dialect) -> None:
    optimizer, _ = start(dialect)
    message = "params: expected unique names, got 'c' twice"
    add = partial(optimizer.add_param_group, {"params": {"c": zeros()}})
    raises_unchanged(optimizer, ValueError, message, add)


def test_array_that_is_taken(dialect: Dialect) -> None:
    """Among several that are added, none of which is added then."""
    optimizer, params = start(dialect)
    for array, got in ((params["c"], "the same array as"), (params["c"][...], "an overlap with")):
        message = f"params[6] ('g'): expected its own memory, got {got} params[2] ('c')"
        add = partial(optimizer.add_param_group, {"params": {"f": zeros(), "g": array}})
        raises_unchanged(optimizer, ValueError, message, add)


def test_a_group_added_later(dialect: Dialect) -> None:
    """Its parameters train as in an optimizer that has just been made; the others train on."""
    optimizer, undisturbed = (dialect.make([{"params": [normal(5)]}]) for _ in range(2))
    optimizer.step([normal(5, seed=2)])
    undisturbed.step([normal(5, seed=2)])
    added = normal(4, 3)
    late = dialect.make([{"params": [added.copy()], dialect.group_rate: 0.5}])
    optimizer.add_param_group({"params": [added], dialect.group_rate: 0.5})
    for seed in range(3):
        grads = [normal(5, seed=seed), normal(4, 3, seed=seed)]
        optimizer.step(grads)
        undisturbed.step(grads[:1])
        late.step(grads[1:])
    for index, other in enumerate((undisturbed, late)):
        param, expected = (o.param_groups[k]["params"][0] for o, k in ((optimizer, index), (other, 0)))
        assert_same_bits(param, expected, f"parameter {index}")
        accums = dialect.accumulator(optimizer, index), dialect.accumulator(other, 0)
        assert_same_bits(*accums, f"accumulator {index}")
    assert dialect.steps(optimizer) == ([4, 3] if dialect.counts_each else [4])
    assert optimizer.param_groups[1]["params"][0] is added


@pytest.mark.parametrize("is_late", [False, True])
def test_options_of_groups(dialect: Dialect, is_late: bool) -> None:
    """Each group trains as it does in its own optimizer with these options, also if its first gradient comes later."""
    rates = (0.5, 0.25, None)
    groups = [{"params": [normal(5)], **({} if rate is None else {dialect.group_rate: rate})} for rate in rates]
    alone = [dialect.make([{**group, "params": [normal(5)]}]) for group in groups]
    optimizer = dialect.make(groups)
    for seed in range(2):
        grads = [None if is_late and seed == 0 and k > 0 else normal(5, seed=seed + k) for k in range(3)]
        optimizer.step(grads)
        for grad, other in zip(grads, alone, strict=True):
            other.step([grad])
    for k, other in enumerate(alone):
        assert_same_bits(optimizer.param_groups[k]["params"][0], other.param_groups[0]["params"][0], f"group {k}")
    assert len({group["params"][0].tobytes() for group in optimizer.param_groups}) == 3
