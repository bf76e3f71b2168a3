"""Code of others that runs while a step checks its arrays, or that must not run there."""

import mmap
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.values import normal
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array


class Loud(np.ndarray):
    """A subclass that reports each call of its methods."""

    calls: ClassVar[list[str]] = []

    @property
    def __class__(self) -> Any:
        Loud.calls.append("__class__")
        return Loud

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise AssertionError

    def __array_finalize__(self, obj: Any) -> None:
        Loud.calls.append("__array_finalize__")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        Loud.calls.append("__array_function__")
        return super().__array_function__(func, types, args, kwargs)


def test_a_subclass_runs_none_of_its_methods(dialect: Dialect) -> None:
    table = normal(6, 4)
    optimizer, plain = dialect.make([table[:, 0], table[:, 1]]), dialect.make([table[:, 0].copy(), table[:, 1].copy()])
    grads = [table[:, 2], table[:, 3]]  # between the parameters in memory, so that overlap is looked for
    loud = [grad.view(Loud) for grad in grads]
    Loud.calls.clear()
    optimizer.step(loud)
    calls = Loud.calls.copy()
    plain.step(grads)
    assert calls == []
    assert contents(optimizer) == contents(plain)


def test_indices_of_a_subclass_are_copied_as_a_plain_array(dialect: Dialect) -> None:
    indices = np.arange(6)[::2]
    grads = [RowSparse(indices, normal(3, 4, seed=2)) for _ in range(2)]
    grads[0].indices = indices.view(Loud)
    optimizers = [dialect.make([normal(6, 4)]) for _ in range(2)]
    Loud.calls.clear()
    optimizers[0].step([grads[0]])
    calls = Loud.calls.copy()
    optimizers[1].step([grads[1]])
    assert "__array_finalize__" not in calls
    assert contents(optimizers[0]) == contents(optimizers[1])


class Key(str):
    """A key in the place of another one, which calls a function when they are compared."""

    def __new__(cls, text: str, function: Callable[[], object]) -> "Key":
        key = super().__new__(cls, text + " ")
        key.likeness, key.function = hash(text), function
        return key

    likeness: int
    function: Callable[[], object]

    def __hash__(self) -> int:
        return self.likeness

    def __eq__(self, other: object) -> bool:
        self.function()
        return False


def with_key_before(optimizer: Any, text: str, function: Callable[[], object]) -> None:
    """Rebuild the group so that a look-up of this key meets a key of ours first."""
    group = optimizer.param_groups[0]
    items = dict(group)
    group.clear()
    group[Key(text, function)] = None
    group.update(items)


@pytest.mark.parametrize("key", ["params", "rate"])
def test_a_key_that_changes_a_parameter(dialect: Dialect, key: str) -> None:
    """The step must write where the parameter lies now."""
    w, other = normal(6), normal(50_000)
    armed: list[bool] = []

    def move() -> None:
        if armed:
            armed.clear()
            kept = other.copy()
            other.resize(10**6, refcheck=False)
            other.resize(50_000, refcheck=False)
            other[:] = kept

    optimizer, expected = dialect.make([w, other]), dialect.make([normal(6), normal(50_000)])
    grads = [normal(6, seed=2), normal(50_000, seed=3)]
    optimizer.step(grads)
    with_key_before(optimizer, dialect.group_rate if key == "rate" else key, move)
    optimizer.step(grads)
    armed.append(True)
    optimizer.step(grads)
    for _ in range(3):
        expected.step(grads)
    assert_same_bits(w, expected.param_groups[0]["params"][0], "first parameter")
    assert_same_bits(other, expected.param_groups[0]["params"][1], "second parameter")


@pytest.mark.parametrize("key", ["params", "rate"])
def test_the_error_of_a_key_is_raised_as_it_is(dialect: Dialect, key: str) -> None:
    armed: list[bool] = []

    def fail() -> None:
        if armed:
            raise ArithmeticError("from the key")

    optimizer = dialect.make([normal(6)])
    with_key_before(optimizer, dialect.group_rate if key == "rate" else key, fail)
    optimizer.step([normal(6)])
    before = optimizer.param_groups[0]["params"][0].copy()
    armed.append(True)
    with pytest.raises(ArithmeticError, match="from the key"):
        optimizer.step([normal(6)])
    armed.clear()
    assert_same_bits(optimizer.param_groups[0]["params"][0], before)


def test_a_released_dtype_that_changes_an_earlier_gradient(dialect: Dialect) -> None:
    """The step reads the gradients as they are after all checks."""

    class Resizes:
        def __del__(self) -> None:
            first.resize(100, refcheck=False)
            first.resize(50_000, refcheck=False)

    first, second = normal(50_000, seed=2), normal(6, seed=3)
    marked: Array = second.view(np.dtype(np.float32, metadata={"object": Resizes()}))
    optimizer = dialect.make([normal(50_000), normal(6)])
    optimizer.step([first, marked])
    del marked
    expected = dialect.make([normal(50_000), normal(6)])
    expected.step([normal(50_000, seed=2), second])
    optimizer.step([first, second])
    expected.step([first, second])
    assert first[100:].any() == np.False_
    assert contents(optimizer) == contents(expected)


@pytest.mark.parametrize("part", ["array", "indices", "values"])
def test_a_released_dtype_that_shortens_an_earlier_gradient(dialect: Dialect, part: str) -> None:
    """The step must not read beyond the new end, whichever gradients follow."""
    sparse, dense = RowSparse(np.arange(3), normal(3, 4, seed=2)), normal(6, 4)
    array = dense if part == "array" else getattr(sparse, part)

    class Shortens:
        def __del__(self) -> None:
            array.resize((2, *array.shape[1:]), refcheck=False)

    second: Array = normal(6, seed=3)
    marked: Array = second.view(np.dtype(np.float32, metadata={"object": Shortens()}))
    optimizer = dialect.make([normal(6, 4), normal(6), normal(5)])
    optimizer.step([None, marked, normal(5)])
    del marked
    with pytest.raises(ValueError, match=r"grads\[0\].*: expected shape"):
        optimizer.step([dense if part == "array" else sparse, second, normal(5)])


def test_a_mapping_that_shortens_a_parameter(dialect: Dialect) -> None:
    """Its length is asked before the step."""
    w, armed = normal(6), list[bool]()

    class Mapping(mmap.mmap):
        def __len__(self) -> int:
            if armed:
                w.resize(5, refcheck=False)
            return super().__len__()

    grad = np.frombuffer(Mapping(-1, 4096), np.float32)[:6]
    optimizer = dialect.make([w])
    optimizer.step([grad])
    armed.append(True)
    with pytest.raises(ValueError, match=r"expected shape \(5,\), got \(6,\)"):
        optimizer.step([grad])


def test_a_search_for_overlap_that_changes_an_earlier_gradient(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy's search runs other code if someone has replaced it: gradients are checked again."""

    def shares_memory(*arrays: Any) -> bool:
        first.resize(100, refcheck=False)
        return False

    table, first = normal(2, 40, seed=4), normal(50_000, seed=2)
    apart, between = (array.reshape(-1)[1:5:3] for array in (table.copy(), table))
    optimizer = dialect.make([normal(50_000), table[:, 0]])
    optimizer.step([first, apart])
    before = contents(optimizer)
    monkeypatch.setattr(np, "shares_memory", shares_memory)
    with pytest.raises(ValueError, match=r"expected shape \(50000,\), got \(100,\)"):
        optimizer.step([first, between])
    assert contents(optimizer) == before
