"""Which rounds count, when a comparison stops, and the figures that are computed from its rounds."""

from itertools import accumulate, repeat
from types import SimpleNamespace

import pytest
from helpers.benchmarks import DENSE, set_other_load, shorten_blocks
from numpy_adagrad.benchmark import comparison as module
from numpy_adagrad.benchmark.comparison import Comparison
from numpy_adagrad.benchmark.dense_comparison import compare_dense
from numpy_adagrad.benchmark.figures import format_duration, format_ratio, idle_only, median_ratio, three_digits


@pytest.fixture
def comparison(monkeypatch: pytest.MonkeyPatch) -> Comparison:
    shorten_blocks(monkeypatch)
    return compare_dense(DENSE[0], ["memory_bound"])


def test_rounds_that_count(monkeypatch: pytest.MonkeyPatch, comparison: Comparison) -> None:
    set_other_load(monkeypatch, False, True, False, True, False)
    rounds = comparison.run(3)
    assert [one.idle for one in rounds] == [True, False, True, False, True]
    assert all(list(one.seconds) == ["memory_bound"] and one.seconds["memory_bound"] > 0 for one in rounds)


def test_retries_are_limited_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch, comparison: Comparison) -> None:
    set_other_load(monkeypatch, True)
    assert [one.idle for one in comparison.run(2)] == [False] * 10


@pytest.mark.parametrize(("busy", "count"), [(False, 7), (True, 17)])
def test_time_is_limited(monkeypatch: pytest.MonkeyPatch, comparison: Comparison, busy: bool, count: int) -> None:
    """A round reads this clock three times, so it takes three seconds of ten; on a busy machine, of fifty."""
    clock = accumulate(repeat(1.0))
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(module, "MAX_SECONDS", 10.0)
    set_other_load(monkeypatch, busy)
    assert len(comparison.run(40)) == count


def test_figures() -> None:
    assert idle_only([1.0, 2.0, 3.0], [True, False, True]) == [1, 3]
    assert median_ratio([2, 6, 20], [1, 2, 4]) == 3
    assert [three_digits(number) for number in (0.01234, 1, 9.996, 123.4, 999.6, 12345)] == [
        "0.0123", "1.00", "10.0", "123", "1,000", "12,300",
    ]  # fmt: skip
    assert [format_duration(seconds) for seconds in (1.5e-6, 1e-3, 0.25)] == ["1.50 µs", "1.00 ms", "250 ms"]
    assert format_ratio(1.234) == "1.23x"
