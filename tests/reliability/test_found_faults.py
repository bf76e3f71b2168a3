"""Faults that the fuzzers of this folder have found, with one case for each."""

import itertools
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad, translate_state
from scipy import sparse


class Changing(Mapping[str, Any]):
    """A mapping whose second look-up finds no array."""

    def __init__(self) -> None:
        self.found: list[Any] = [np.ones(3)]

    def __getitem__(self, name: str) -> Any:
        if name != "w":
            raise KeyError(name)
        return self.found.pop() if self.found else 0.5

    def __iter__(self) -> Iterator[str]:
        return iter(["w"])

    def __len__(self) -> int:
        return 1


def test_a_mapping_that_finds_no_array_the_second_time(dialect: Dialect) -> None:
    """It was an AttributeError."""
    message = "params: expected the same arrays at each look-up, but the Changing made a new array 0; "
    message += "read it once into a list or a dict"
    raises(TypeError, message, lambda: dialect.optimizer(Changing()))


class Longer(dict[str, Any]):
    """A dict that says that it has one entry more."""

    def __len__(self) -> int:
        return super().__len__() + 1


def test_gradients_that_say_they_are_more(dialect: Dialect) -> None:
    """It was a StopIteration."""
    optimizer = dialect.optimizer({"w": np.ones(3)})
    grads = Longer(w=np.ones(3))
    message = "grads: expected 1 entries, got 2"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step(grads))


@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_a_sparse_array_whose_parts_are_no_arrays(dialect: Dialect, name: str) -> None:
    """It was an AttributeError."""
    optimizer = dialect.optimizer([np.ones((4, 3), np.float32)])
    grad = sparse.csr_array(np.ones((4, 3), np.float32))
    setattr(grad, name, "text")
    message = f"{dialect.label('grads', 0)}.{name}: expected a NumPy array, got str"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([grad]))


@pytest.mark.parametrize("grad", [sparse.csr_array(np.ones((4, 3))), sparse.coo_array(np.ones((4, 3)))])
def test_a_sparse_array_whose_values_are_a_dict_of_the_right_length(dialect: Dialect, grad: Any) -> None:
    """It was an AttributeError."""
    optimizer = dialect.optimizer([np.ones((4, 3))])
    grad = grad.copy()
    grad.data = dict.fromkeys(range(12))
    message = f"{dialect.label('grads', 0)}.data: expected a NumPy array, got dict"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([grad]))
    raises(TypeError, "matrix.data: expected a NumPy array, got dict", lambda: RowSparse.from_scipy(grad))


def test_coordinates_that_are_no_arrays(dialect: Dialect) -> None:
    """It was an AttributeError."""
    optimizer = dialect.optimizer([np.ones((4, 3))])
    grad = sparse.coo_array(np.ones((4, 3)))
    grad.coords = (grad.coords[0], {})
    message = f"{dialect.label('grads', 0)}.coords[1]: expected a NumPy array, got dict"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([grad]))


def test_values_that_are_python_objects() -> None:
    """A product with them ran their code, and raised an AttributeError of it."""
    matrix = sparse.csr_array(np.ones((2, 3)))
    raises(TypeError, "values: expected numbers, got Python objects", lambda: RowSparse([0, 2], matrix))


def test_a_factor_that_is_too_large() -> None:
    """It was an OverflowError."""
    grad = RowSparse([0], np.ones((1, 3)))
    raises(ValueError, "factor: expected a number within float64, got a larger one", lambda: grad * 10**400)


def test_a_state_that_is_no_dict() -> None:
    """It was an AttributeError."""
    optimizer = TorchAdagrad([np.ones(3)])
    saved = {**optimizer.state_dict(), "state": [1]}
    raises_unchanged(optimizer, TypeError, "state: expected a dict, got list", lambda: optimizer.load_state_dict(saved))


def test_a_state_dict_with_other_keys_is_translated() -> None:
    """Keys that are no text belong to nothing that is read; they were an AttributeError."""
    saved: dict[Any, Any] = {"accum.w": np.ones(3, np.float32), "global_step": np.ones(1, np.int32), 7: None}
    translated = translate_state("mindspore", "torch", saved, lr=0.1)
    assert list(translated["state"]) == [0]


def test_printing_an_optimizer_whose_parameter_is_no_array(dialect: Dialect) -> None:
    """It was an AttributeError."""
    optimizer = dialect.optimizer([{"params": [np.ones(3)]}])
    optimizer.param_groups[0]["params"] = ["text"]
    assert "str\n" in repr(optimizer)


def test_a_schedule_that_adds_a_parameter_while_the_state_is_read() -> None:
    """It was a StopIteration."""

    def rate(step: int) -> float:
        if len(group["params"]) == 1:
            group["params"].append(added)
        return 0.5

    added = np.ones(2)
    optimizer = TorchAdagrad([np.ones(3)], rate)
    group = optimizer.param_groups[0]
    assert optimizer.state_dict()["param_groups"][0]["params"] == [0, 1]


def test_groups_that_a_schedule_adds_while_the_state_is_read() -> None:
    """The new groups were read, too, and their schedules called: without end."""

    def schedule(step: int) -> float:
        optimizer.add_param_group({"params": [np.ones(3)]})
        return 0.25

    optimizer = TorchAdagrad([np.ones(3)], lr=schedule)
    message = "param_groups: expected the same groups while the state is read, got others"
    raises(RuntimeError, message, optimizer.state_dict)


class Added(list[Any]):
    """A list that says that it has one item more, and that turns a list to which it is added into a number."""

    def __len__(self) -> int:
        return super().__len__() + 1

    def __radd__(self, other: object) -> int:
        return 1


def test_groups_that_change_while_the_state_is_read() -> None:
    """It was a StopIteration, as where the garbage collector runs code that adds a parameter."""
    optimizer = TorchAdagrad([np.ones(3)])
    optimizer.param_groups[0]["params"] = Added(optimizer.param_groups[0]["params"])
    message = "param_groups: expected the same groups while the state is read, got others"
    raises(RuntimeError, message, optimizer.state_dict)


def test_a_list_that_is_added_in_its_own_way(dialect: Dialect, tmp_path: Path) -> None:
    """It was an AttributeError."""
    optimizer = dialect.optimizer([np.ones(3)])
    optimizer.save(tmp_path / "a", extra={"list": Added([7])})
    assert optimizer.load(tmp_path / "a") == {"list": [7]}


class Pretender:
    """It names another class as its own, but has none of its attributes."""

    __class__ = property(lambda self: np.ndarray)
    size, dtype = 1, 0


def test_an_object_that_names_another_class_as_its_own(dialect: Dialect) -> None:
    """It was an AttributeError."""
    optimizer = dialect.optimizer([np.ones((4, 3), np.float32)])
    expected = "expected a number or a 1-element array, got Pretender"
    step = partial(optimizer.step, [np.ones((4, 3), np.float32)])
    raises_unchanged(optimizer, TypeError, f"grad_scale: {expected}", lambda: step(grad_scale=Pretender()))
    grad = sparse.csr_array(np.ones((4, 3), np.float32))
    grad.indices = Pretender()
    message = f"{dialect.label('grads', 0)}.indices: expected a NumPy array, got Pretender"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([grad]))
    message = "learning_rate: expected a number, a sequence, a 1-dimensional array or a callable, got Pretender"
    raises(TypeError, message, lambda: MindSporeAdagrad([np.ones(3)], learning_rate=Pretender()))


def test_parameters_without_end(dialect: Dialect) -> None:
    """They were read until memory was full."""
    optimizer = dialect.optimizer([{"params": [np.ones(3)]}])
    optimizer.param_groups[0]["params"] = itertools.repeat(np.ones(3))
    message = "param_groups[0]['params']: expected a list, got repeat"
    raises(TypeError, message, lambda: optimizer.step([np.ones(3)]))
    raises(TypeError, message, optimizer.state_dict)
