"""A step whose gradients become known by ranges, as between machines, is one step."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.errors import raises
from helpers.values import normal
from numpy_adagrad.inputs.types import Array
from threadpoolctl import threadpool_limits

SMALL, LARGE = 20_003, 300_011  # for one thread, and for several, which a range of 262,144 elements wakes


def arrays(dialect: Dialect, size: int, seed: int) -> list[Any]:
    """Two of them do not begin at a cache line, and one is not contiguous."""
    dtypes = ["f4", "f8", "f2", "c8" if dialect.takes_complex else "f4"]
    found = [normal(size, dtype=dtype, seed=seed + i)[1:] for i, dtype in enumerate(dtypes)]
    return [*found[:2], found[2][::2], found[3]]


def ranges(grads: list[Any], whole: list[Any]) -> Iterator[tuple[int, int]]:
    """Write the gradients of each range just before it is yielded; the rest is NaN."""
    size = whole[0].size
    pairs = zip(grads, whole, strict=True)
    parts = [(grad.view(grad.real.dtype), other.view(other.real.dtype)) for grad, other in pairs]
    starts = np.cumsum([0, *(part.size for part, _ in parts)])
    cuts = [0, 0, 1, 700, 2 * size - 3, 2 * size - 2, size * 9 // 4, size * 9 // 4, starts[-1]]
    for i, (begin, end) in enumerate(zip([0, *cuts], cuts, strict=False)):
        for (part, other), start in zip(parts, starts, strict=False):
            own = slice(max(begin - start, 0), max(end - start, 0))
            part[own] = other[own]
        yield i, end - begin


@pytest.mark.parametrize(("threads", "size"), [(1, SMALL), (3, LARGE)])
def test_the_bits_do_not_depend_on_how_it_is_divided(dialect: Dialect, threads: int, size: int) -> None:
    calls: list[int] = []

    def schedule(step: int) -> float:
        calls.append(step)
        return 0.5 / (1 + step)

    options: dict[str, Any] = {dialect.rate: schedule}
    divided, other = (dialect.make(arrays(dialect, size, 0), **options) for _ in range(2))
    with threadpool_limits(threads, user_api="openmp"):
        for step in range(2):
            whole = [grad.copy() for grad in arrays(dialect, size, 100 + step)]
            grads = [np.full_like(grad, np.nan) for grad in whole]
            found: Any = [*grads[:3], None] if step == 1 else grads
            calls.clear()
            with divided._calling_schedules_once():
                divided._check_step(found, None, None, "propagate")
                numbers = divided._step_by_ranges(found, ranges(grads[: 4 - step], whole[: 4 - step]), 3.0)
                assert [*numbers] == [*range(9)]
            assert calls == [step]
            other.step([*whole[:3], None] if step == 1 else whole, grad_scale=3.0)
            assert contents(divided) == contents(other)
            assert divided.last_lr == other.last_lr


@pytest.mark.parametrize("sizes", [[32, 38], [0, 32, 38]])
def test_what_changes_meanwhile_counts_from_the_next_step(dialect: Dialect, sizes: list[int]) -> None:
    """Also from the first range on where it is empty."""
    divided, other = (dialect.optimizer([normal(70)]) for _ in range(2))
    grads: list[Array] = [normal(70, seed=2)]
    for number in divided._step_by_ranges(grads, enumerate(sizes), None):
        divided.param_groups[0][dialect.group_rate] = 0.25 + number
    other.step(grads)
    other.param_groups[0][dialect.group_rate] = 0.25 + len(sizes) - 1
    assert contents(divided) == contents(other)
    divided.step(grads)
    other.step(grads)
    assert contents(divided) == contents(other)


def test_other_parameters_meanwhile_are_an_error(dialect: Dialect) -> None:
    optimizer = dialect.optimizer([normal(70)])
    parts = optimizer._step_by_ranges([normal(70)], [(0, 32), (1, 38)], None)
    next(parts)
    optimizer.param_groups[0]["params"][0] = normal(70)
    message = "params: expected the same arrays throughout a step, got others from another thread"
    raises(RuntimeError, message, lambda: next(parts))
