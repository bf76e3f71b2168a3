"""Parameters and gradients in containers within containers."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.values import normal
from numpy_adagrad import RowSparse, TorchAdagrad, schedules
from numpy_adagrad.inputs.types import Array


@dataclass
class Dense:
    W: Any
    b: Any


@dataclass(frozen=True)
class Network:
    first: Dense
    second: dict[str, Any]


class Pair(NamedTuple):
    W: Any
    b: Any


Make = Callable[[list[Any]], Any]
# Each makes a form of four arrays or gradients; the names that the parameters get.
FORMS: dict[str, tuple[Make, str]] = {
    "dicts": (lambda a: {"in": {"W": a[0], "b": a[1]}, "out": {"W": a[2], "b": a[3]}}, "in.W in.b out.W out.b"),
    "deep": (lambda a: {"net": {"in": {"W": a[0]}, "rest": [a[1], {"c": a[2]}]}, "d": a[3]},
             "net.in.W net.rest.0 net.rest.1.c d"),
    "tuples": (lambda a: [(a[0], a[1]), (a[2], a[3])], "0.0 0.1 1.0 1.1"),
    "lists": (lambda a: ([a[0], a[1]], [a[2], a[3]]), "0.0 0.1 1.0 1.1"),
    "stax": (lambda a: [(a[0], a[1]), (), (a[2], a[3])], "0.0 0.1 2.0 2.1"),
    "list_of_dicts": (lambda a: [{"W": a[0], "b": a[1]}, {"W": a[2], "b": a[3]}], "0.W 0.b 1.W 1.b"),
    "array_first": (lambda a: [a[0], {"W": a[1]}, (a[2], a[3])], "0 1.W 2.0 2.1"),
    "pairs": (lambda a: [("in", {"W": a[0], "b": a[1]}), ("out", [("W", a[2]), ("b", a[3])])],
              "in.W in.b out.W out.b"),
    "dataclass": (lambda a: Network(Dense(a[0], a[1]), {"W": a[2], "b": a[3]}), "first.W first.b second.W second.b"),
    "dataclasses": (lambda a: [Dense(a[0], a[1]), Dense(a[2], a[3])], "0.W 0.b 1.W 1.b"),
    "named_tuples": (lambda a: (Pair(a[0], a[1]), Pair(a[2], a[3])), "0.W 0.b 1.W 1.b"),
    "named_tuple": (lambda a: Pair({"x": a[0]}, {"x": a[1], "y": a[2], "z": a[3]}), "W.x b.x b.y b.z"),
    "other_mappings": (lambda a: MappingProxyType({"in": OrderedDict(W=a[0], b=a[1]), "out": Pair(a[2], a[3])}),
                       "in.W in.b out.W out.b"),
}  # fmt: skip


def arrays(seed: int) -> list[Array]:
    return [normal(*shape, seed=seed + i) for i, shape in enumerate([(3, 4), (4,), (4, 2), ()])]


@pytest.mark.parametrize(("make", "names"), FORMS.values(), ids=FORMS)
def test_forms(dialect: Dialect, make: Make, names: str) -> None:
    """Gradients in the same form, however the step is called, are those of a flat list."""
    nested, flat = arrays(1), arrays(1)
    optimizer, reference = dialect.optimizer(make(nested)), dialect.optimizer(flat)
    assert optimizer.names == names.split()
    grads = arrays(5)
    for options in ({}, {"max_norm": 0.5}, {"grad_scale": 2.0, "on_nonfinite": "skip"}):
        optimizer.step(make(grads), **options)
        reference.step(grads, **options)
    optimizer.step(closure=lambda: (0, make(grads)))
    optimizer.step(grads)
    optimizer.step(dict(zip(names.split(), grads, strict=True)))
    for _ in range(3):
        reference.step(grads)
    optimizer.step(make([grads[0], None, grads[2], grads[3]]))
    reference.step([grads[0], None, grads[2], grads[3]])
    for own, expected in zip(nested, flat, strict=True):
        assert_same_bits(own, expected)


@pytest.mark.parametrize(("make", "names"), FORMS.values(), ids=FORMS)
def test_forms_in_a_group(dialect: Dialect, make: Make, names: str) -> None:
    optimizer = dialect.optimizer([{"params": {"c": np.ones(3, np.float32)}}])
    optimizer.add_param_group({"params": make(arrays(1))})
    assert optimizer.names == ["c", *names.split()]
    assert dialect.optimizer([{"params": make(arrays(1))}]).names == names.split()


def test_layers_without_a_gradient(dialect: Dialect) -> None:
    layer = {"W": normal(3), "b": normal(2)}
    optimizer = dialect.optimizer({"in": layer, "out": normal(4)})
    before = {name: array.copy() for name, array in layer.items()}
    for grads in ({"in": None, "out": normal(4)}, {"in": {"W": None, "b": None}, "out": normal(4)}):
        optimizer.step(grads)
    for name, array in before.items():
        assert_same_bits(layer[name], array)


@pytest.mark.parametrize("form", [list, tuple, iter])
def test_layers_in_a_sequence_without_a_gradient(dialect: Dialect, form: Callable[[Any], Any]) -> None:
    layer = normal(3), normal(2)
    optimizer = dialect.optimizer([layer, normal(4)])
    before = [array.copy() for array in layer]
    optimizer.step(form([None, normal(4)]))
    optimizer.step(form([None, None]))
    for array, expected in zip(layer, before, strict=True):
        assert_same_bits(array, expected)
    raises_unchanged(
        optimizer, ValueError, "grads: expected 3, one for each parameter, got 2",
        lambda: optimizer.step(form([normal(3), None])),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("params", "grads"),
    [
        ({"in": {"W": normal(3)}, "relu": {}, "out": normal(4)}, {"in": {"W": None}, "relu": None, "out": normal(4)}),
        ({"in": {"W": normal(3)}, "relu": {}, "out": normal(4)}, {"in": None, "relu": None, "out": normal(4)}),
        ([(normal(3), normal(2)), (), (normal(4),)], [None, None, (normal(4),)]),
        ([normal(3), (), normal(4)], [None, None, normal(4)]),
        ([("in", normal(3)), ("relu", ()), ("out", normal(4))], [("in", None), ("relu", None), ("out", normal(4))]),
    ],
)
def test_none_for_a_layer_without_parameters(dialect: Dialect, params: Any, grads: Any) -> None:
    optimizer = dialect.optimizer(copy.deepcopy(params))
    arrays = optimizer.param_groups[0]["params"]
    before = [array.copy() for array in arrays]
    optimizer.step(grads)
    assert (arrays[-1] != before[-1]).any()
    for array, old in zip(arrays[:-1], before[:-1], strict=True):
        assert_same_bits(array, old)


def test_sparse_gradients_and_scalars_are_no_containers(dialect: Dialect) -> None:
    table, bias = normal(4, 2), np.ones((), np.float32)
    optimizer = dialect.optimizer([(table, bias)])
    optimizer.step([(RowSparse([1], np.ones((1, 2), np.float32)), np.float32(1))])
    optimizer.step([(None, np.float32(1))])
    assert bias < 1


def test_errors(dialect: Dialect) -> None:
    params = {"in": {"W": normal(3), "b": normal(2)}, "out": normal(4)}
    optimizer = dialect.optimizer(params)
    none = "grads: expected one for each parameter (None for no gradient), got none for "
    for grads, error, message in (
        ({"in": {"W": normal(3)}, "out": None}, KeyError, f"{none}'in.b'"),
        ({"in": {"W": None, "b": None, "c": normal(2)}, "out": None}, KeyError,
         "grads: expected the names of the parameters, got 'in.c'"),
        ({"in": {"W": normal(2), "b": None}, "out": None}, ValueError,
         "grads[0] ('in.W'): expected shape (3,), got (2,)"),
        ([(normal(3), normal(2)), normal(4)], KeyError, f"{none}'in.W', but one for '0.0'"),
    ):  # fmt: skip
        raises_unchanged(optimizer, error, message, lambda: optimizer.step(grads))  # noqa: B023
    for wrong, message in (
        ({"in": {"W": [1.0]}}, "params[0] ('in.W'): expected a NumPy array, got list"),
        ({"in": Dense(normal(3), 3)}, "params[1] ('in.b'): expected a NumPy array, got int"),
        ([normal(3), [1.0, 2.0]], "expected a NumPy array, got list"),
    ):
        with pytest.raises(TypeError) as caught:
            dialect.optimizer(wrong)
        assert str(caught.value).endswith(message)
    twice = {"a.b": normal(3), "a": {"b": normal(3)}}
    raises(ValueError, "params: expected unique names, got 'a.b' twice", lambda: dialect.optimizer(twice))


def test_two_gradients_of_one_parameter(dialect: Dialect) -> None:
    """The last one won."""
    optimizer = dialect.optimizer({"a": {"b": normal(3)}})
    twice: dict[str, Any] = {"a": {"b": normal(3)}, "a.b": normal(3, seed=1)}
    for grads in (twice, list(twice.items())):
        message = "grads: expected unique names, got 'a.b' twice"
        raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step(grads))  # noqa: B023


def test_names_that_are_texts_of_numpy(dialect: Dialect) -> None:
    names = list(np.array(["W", "b"]))
    optimizer = dialect.optimizer(zip(names, [normal(3), normal(2)], strict=True))
    assert optimizer.names == ["W", "b"]
    for keys in (names, ["W", "b"]):
        optimizer.step([(keys[0], normal(3)), (keys[1], None)])
    assert optimizer.steps == 2


def test_containers_that_contain_themselves(dialect: Dialect) -> None:
    params: list[Any] = [normal(3)]
    params.append({"layer": params})
    message = "params: expected containers of arrays, got one that contains itself"
    raises(ValueError, message, lambda: dialect.optimizer(params))
    raises(ValueError, message, lambda: dialect.optimizer([{"params": params}]))
    optimizer = dialect.optimizer({"a": {"b": normal(3)}})
    grads: dict[str, Any] = {"b": normal(3)}
    grads["a"] = grads
    message = "grads: expected containers of arrays, got one that contains itself"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step(grads))


def test_groups_among_arrays(dialect: Dialect) -> None:
    message = "params: expected groups only or arrays only, got some of each"
    raises(TypeError, message, lambda: dialect.optimizer([{"params": [normal(3)]}, normal(3)]))


def test_a_group_outside_a_list(dialect: Dialect) -> None:
    message = "params: expected a list of groups, got one group alone; write it as [{'params': ...}]"
    rates: list[Any] = [0.1, lambda step: 0.1, schedules.constant(0.1)]
    for rate in rates:
        group = {"params": [normal(3)], "lr": rate}
        raises(TypeError, message, lambda group=group: dialect.optimizer(group))  # type: ignore[misc]
    flax = {"params": {"w": normal(3)}, "batch_stats": {"mean": normal(2)}}
    assert dialect.optimizer(flax).param_groups[0]["param_names"] == ["params.w", "batch_stats.mean"]


class ForeignArray:
    """An array of another library."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise AssertionError("a parameter is not converted")


@pytest.mark.parametrize("wrong", [ForeignArray(), None])
def test_layers_of_something_else_are_no_groups(dialect: Dialect, wrong: Any) -> None:
    message = f"params[1] ('0.b'): expected a NumPy array, got {type(wrong).__name__}"
    raises(TypeError, message, lambda: dialect.optimizer([{"W": normal(3), "b": wrong}]))


def test_nested_mappings_that_make_new_arrays(dialect: Dialect) -> None:
    class New(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return np.array(super().__getitem__(key))

    message = "params: expected the same arrays at each look-up, but the New made a new array 0; "
    message += "read it once into a list or a dict"
    raises(TypeError, message, lambda: dialect.optimizer({"in": New(W=normal(3))}))


def test_state_dicts_have_dotted_names() -> None:
    optimizer = TorchAdagrad({"in": {"W": normal(3)}, "out": normal(2)})
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["in.W", "out"]
    assert optimizer.state["in.W"]["sum"].shape == (3,)
