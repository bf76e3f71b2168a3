"""Columns of one table interleave in memory: they are found disjoint by their strides, and overlap is still found."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.dialects import Dialect
from helpers.errors import raises_unchanged
from helpers.values import zeros
from numpy_adagrad.inputs.types import Array

OWN = "expected its own memory, got "


def test_gradient_among_many_strided_parameters(dialect: Dialect) -> None:
    """The columns of one buffer interleave: only the column that shares an element is named."""
    columns = zeros((5, 40))
    optimizer = dialect.optimizer([columns[:, i] for i in range(0, 40, 2)])
    free, taken = columns[:, 1], columns[:, 14]
    optimizer.step([free] * 20)
    message = f"{dialect.label('grads', 0)}: {OWN}an overlap with {dialect.label('params', 7)}"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([taken] + [free] * 19))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_long_column_added_after_short_ones(dialect: Dialect, count: int) -> None:
    """It ends after columns that begin after it; a gradient behind all of these may still meet it."""
    table = zeros((10, 6))
    optimizer = dialect.optimizer([{"params": [table[3:5, 1 + k] for k in range(count)]}])
    optimizer.add_param_group({"params": [table[:, 0]]})
    grads = [table[7:9, 0]] + [None] * count
    message = f"{dialect.label('grads', 0)}: {OWN}an overlap with {dialect.label('params', count)}"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step(grads))


@pytest.mark.parametrize("shift", [-4, -3, -1, 1, 3, 4])
@pytest.mark.parametrize("start", range(8))
def test_columns_that_meet_wherever_the_table_begins(dialect: Dialect, start: int, shift: int) -> None:
    """Their places in a row are those of addresses, so that a row ends within the columns for some of the starts."""
    memory = zeros(100)
    param, grad = (memory[at : at + 80].reshape(10, 8)[:, 2:6] for at in (start + 4, start + 4 + shift))
    optimizer = dialect.optimizer([param])
    if abs(shift) == 4:
        optimizer.step([grad])
        return
    message = f"{dialect.label('grads', 0)}: {OWN}an overlap with {dialect.label('params', 0)}"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([grad]))


def beside_uneven_steps(n: int) -> list[Array]:
    """Of 8 and 20 bytes, which have 4 in common, the size of an element: the array is taken as all that it spans."""
    table = zeros((n, 12))
    return [table[:, 8:], *(row[:10].reshape(2, 5)[:, :3:2] for row in table[1:])]


COLUMNS: dict[str, Callable[[int], list[Array]]] = {
    "columns": lambda n: list(zeros((5, n)).T),
    "reversed": lambda n: list(zeros((5, n))[::-1, ::-1].T),
    "pairs": lambda n: [pair.T for pair in np.split(zeros((5, 2 * n)).T, n)],
    "of_two_kinds": lambda n: (lambda a: [*a[::2].T, *a[1::2, : n // 2].T])(zeros((10, n))),
    "last_axis": lambda n: list(np.moveaxis(zeros((4, 3, n))[:, :2], -1, 0)),
    "middle_axis": lambda n: list(np.moveaxis(zeros((4, n, 3)), 1, 0)),
    "of_many_tables": lambda n: [column for _ in range(n // 10) for column in zeros((5, 10)).T],
    "beside_uneven_steps": beside_uneven_steps,
}


@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_columns_are_found_disjoint_by_their_strides(
    dialect: Dialect, make: Callable[[int], list[Array]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy's search compares two arrays at a time: for all pairs of 1,000 columns it would take a second."""
    calls: list[Any] = []

    def shares_memory(*arrays: Any) -> bool:
        calls.append(arrays)
        return True

    monkeypatch.setattr(np, "shares_memory", shares_memory)
    params = make(1000)
    optimizer = dialect.optimizer([{"params": params[::2]}])
    for param in params[1:100:2]:
        optimizer.add_param_group({"params": [param]})
    optimizer.step([*make(1000)[::2], *make(1000)[1:100:2]])
    assert not calls
