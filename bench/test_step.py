"""One step of every candidate on every workload: what it computes and how long it takes.

The answers alone, for CI:

    pytest bench --benchmark-disable

The figures, which take 16 GB of memory:

    pytest bench --benchmark-min-rounds=40 --benchmark-json=result.json
    python bench/report.py result.json --out docs/performance.md --picture docs/performance.png
"""

import gc
from functools import cache

import pytest
from numpy_adagrad.bench.candidates import participants
from numpy_adagrad.bench.race import Race
from numpy_adagrad.bench.threads import PROCESSORS, threads
from numpy_adagrad.bench.workloads import WORKLOADS


class Replay:
    """A clock that moves only when told. It hands rounds timed elsewhere to pytest-benchmark, which by itself
    would run all rounds of one candidate in a row."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def advance(self, times):
        self.now += next(times)


REPLAY = Replay()


def pytest_generate_tests(metafunc):
    # CI asks for answers, not for times: small arrays and one number of threads give all of them soon.
    disabled = metafunc.config.getoption("benchmark_disable")
    workloads = [name for name, workload in WORKLOADS.items() if workload.elements <= 10**6 or not disabled]
    counts = [PROCESSORS] if disabled else sorted({1, PROCESSORS})
    steps = [
        (workload, count, candidate)
        for workload in workloads
        for count in counts
        for candidate in entrants(workload, count)
    ]
    metafunc.parametrize(("workload", "count", "candidate"), steps)


def entrants(workload, count):
    """Who takes part with so many threads."""
    return participants(WORKLOADS[workload], threads_set=count != PROCESSORS)


RACES = {}


def race_on(workload):
    """One for all tests of a workload, and no longer: there is not memory for all of them."""
    if workload not in RACES:
        RACES.clear()
        gc.collect()
        with threads(PROCESSORS):
            RACES[workload] = Race(WORKLOADS[workload], participants(WORKLOADS[workload]))
    return RACES[workload]


@cache
def rounds_of(workload, count, wanted):
    with threads(count):
        return race_on(workload).run(wanted, entrants(workload, count))


@pytest.mark.benchmark(timer=REPLAY)
def test_step(workload, count, candidate, benchmark, pytestconfig):
    assert race_on(workload).complaints[candidate] == []
    disabled = pytestconfig.getoption("benchmark_disable")
    rounds = rounds_of(workload, count, 1 if disabled else pytestconfig.getoption("benchmark_min_rounds"))
    benchmark.group = f"{workload}, {count} threads"
    benchmark.extra_info.update(
        elements=WORKLOADS[workload].elements,
        bytes=WORKLOADS[workload].elements * WORKLOADS[workload].element_bytes,
        yardstick=WORKLOADS[workload].yardstick,
        quiet=[each.quiet for each in rounds],
    )
    times = iter([each.seconds[candidate] for each in rounds])
    benchmark.pedantic(REPLAY.advance, args=(times,), rounds=len(rounds))
