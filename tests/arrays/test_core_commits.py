"""Results that the core writes at once: what it checks before the first of them, and which values it writes."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import raises
from helpers.values import normal, read_only, zeros
from numpy_adagrad import _core

PAIRS: list[tuple[Any, type[Exception], str]] = [
    ([zeros(3), zeros(3)], TypeError, "expected a tuple (target, value)"),
    ((zeros(3),), TypeError, "expected a tuple (target, value)"),
    ((zeros(3), [1, 2, 3]), TypeError, "expected two arrays, two dicts or two lists"),
    ((1, 1), TypeError, "expected two arrays, two dicts or two lists"),
    ((zeros(3), zeros(4)), ValueError, "expected shape (3,), got (4,)"),
    ((zeros(3), np.zeros(3)), TypeError, "expected the dtype of the target"),
    (
        (read_only(zeros(3)), zeros(3)),
        ValueError,
        "expected a writeable array, got a read-only one; copy it with .copy()",
    ),
]


@pytest.mark.parametrize(("pair", "error", "message"), PAIRS, ids=[f"{k}" for k in range(len(PAIRS))])
def test_a_pair_that_cannot_be_committed_leaves_the_others_unwritten(
    pair: Any, error: type[Exception], message: str
) -> None:
    target: list[int] = []
    raises(error, f"pairs[1]: {message}", lambda: _core.commit([(target, [1]), pair]))
    assert target == []


@pytest.mark.parametrize("rows", [1, 4])
def test_interleaved_targets_are_written_from_each_other(rows: int) -> None:
    table = normal(rows, 3)
    expected = table[:, [1, 2, 0]]
    _core.commit([(table[:, k], table[:, (k + 1) % 3]) for k in range(3)])
    assert_same_bits(table, expected)


def test_a_value_beyond_the_end_of_a_target_within_another() -> None:
    table, kept = normal(4, 3), zeros(2)
    expected = table[2:, 0].copy()
    _core.commit([(table[:, 0], zeros(4)), (table[:2, 1], zeros(2)), (kept, table[2:, 0])])
    assert_same_bits(kept, expected)


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
def test_values_beside_a_target_are_not_copied(places: tuple[int, int]) -> None:
    halves = np.split(normal(200_000), 2)
    target, value = (halves[place] for place in places)
    tracemalloc.start()
    try:
        _core.commit([(target, value)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < value.nbytes / 2
    assert_same_bits(target, value)


def test_a_replaced_value_is_released_after_the_last_write() -> None:
    target, seen = zeros(3), list[Any]()

    class Released:
        def __del__(self) -> None:
            seen.append(target.copy())

    _core.commit([({"key": Released()}, {"key": None}), (target, normal(3))])
    assert_same_bits(seen[0], normal(3))


def test_a_value_is_copied_as_a_plain_array() -> None:
    calls: list[Any] = []

    class Loud(np.ndarray):
        def __array_finalize__(self, obj: Any) -> None:
            calls.append(obj)

    table = normal(4)
    value, expected = table[1:].view(Loud), table[1:].copy()
    calls.clear()
    _core.commit([(table[:-1], value)])
    assert calls == []
    assert_same_bits(table[:-1], expected)
