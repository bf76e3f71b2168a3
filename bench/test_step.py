"""One step of every candidate on every workload: what it computes and how long it takes.

The answers alone, for CI:

    pytest bench --benchmark-disable

The figures, which take 16 GB of memory:

    pytest bench --benchmark-min-rounds=40 --benchmark-json=result.json
    python bench/report.py result.json --out docs/performance.md --picture docs/performance.png
"""

import gc
from collections.abc import Iterator
from functools import cache

import pytest
from numpy_adagrad.benchmark.candidates import CANDIDATES, participants
from numpy_adagrad.benchmark.comparison import Race, Round, dense_race
from numpy_adagrad.benchmark.row_candidates import ROW_CANDIDATES
from numpy_adagrad.benchmark.row_comparison import row_race
from numpy_adagrad.benchmark.row_workloads import TABLES, Table
from numpy_adagrad.benchmark.threads import PROCESSORS, threads
from numpy_adagrad.benchmark.workloads import WORKLOADS, Workload
from pytest_benchmark.fixture import BenchmarkFixture


class Replay:
    """A clock that moves only when told. It hands rounds timed elsewhere to pytest-benchmark, which by itself
    would run all rounds of one candidate in a row."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, times: Iterator[float]) -> None:
        self.now += next(times)


REPLAY = Replay()


@cache
def workloads(disabled: bool) -> dict[str, Workload | Table]:
    """Dense and sparse ones. CI asks for answers, not for times: small arrays give all of them soon."""
    if not disabled:
        return {**WORKLOADS, **TABLES}
    dense = {name: workload for name, workload in WORKLOADS.items() if workload.elements <= 10**6}
    return {**dense, **{name: table.small() for name, table in TABLES.items()}}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    disabled = metafunc.config.getoption("benchmark_disable")
    counts = [PROCESSORS] if disabled else sorted({1, PROCESSORS})
    steps = [
        (name, count, candidate)
        for name, workload in workloads(disabled).items()
        for count in counts
        for candidate in entrants(workload, count)
    ]
    metafunc.parametrize(("workload", "count", "candidate"), steps)


def entrants(workload: Workload | Table, count: int) -> list[str]:
    """Who takes part with so many threads."""
    among = ROW_CANDIDATES if isinstance(workload, Table) else CANDIDATES
    return participants(workload, threads_set=count != PROCESSORS, among=among)


RACES: dict[str, Race] = {}


def race_on(workload: Workload | Table) -> Race:
    """One for all tests of a workload, and no longer: there is not memory for all of them."""
    if workload.name not in RACES:
        RACES.clear()
        gc.collect()
        names = entrants(workload, PROCESSORS)
        with threads(PROCESSORS):
            race = row_race(workload, names) if isinstance(workload, Table) else dense_race(workload, names)
        RACES[workload.name] = race
    return RACES[workload.name]


@cache
def rounds_of(name: str, count: int, disabled: bool, wanted: int) -> list[Round]:
    workload = workloads(disabled)[name]
    with threads(count):
        return race_on(workload).run(wanted, entrants(workload, count))


@pytest.mark.benchmark(timer=REPLAY)
def test_step(
    workload: str, count: int, candidate: str, benchmark: BenchmarkFixture, pytestconfig: pytest.Config
) -> None:
    disabled = pytestconfig.getoption("benchmark_disable")
    stepped = workloads(disabled)[workload]
    assert race_on(stepped).complaints[candidate] == []
    rounds = rounds_of(workload, count, disabled, 1 if disabled else pytestconfig.getoption("benchmark_min_rounds"))
    benchmark.group = f"{workload}, {count} threads"
    benchmark.extra_info.update(bytes=stepped.bytes, yardstick=stepped.yardstick, quiet=[each.quiet for each in rounds])
    if isinstance(stepped, Table):
        benchmark.extra_info["rows"] = stepped.touched
    times = iter([each.seconds[candidate] for each in rounds])
    benchmark.pedantic(REPLAY.advance, args=(times,), rounds=len(rounds))  # type: ignore[no-untyped-call]
