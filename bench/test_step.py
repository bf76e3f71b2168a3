"""One step of every candidate on every workload: what it computes and how long it takes.

The answers alone, for CI:

    pytest bench --benchmark-disable

The figures:

    pytest bench --benchmark-min-rounds=50 --benchmark-json=result.json
    python bench/report.py result.json --out docs/performance.md --picture docs/performance.png
"""

import pytest

from .candidates import CANDIDATES
from .race import Race
from .workloads import WORKLOADS, elements


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


@pytest.fixture(scope="module", params=WORKLOADS)
def workload(request):
    return request.param


@pytest.fixture(scope="module")
def race(workload):
    return Race(workload)


@pytest.fixture(scope="module")
def rounds(race, pytestconfig):
    disabled = pytestconfig.getoption("benchmark_disable")
    return race.run(1 if disabled else pytestconfig.getoption("benchmark_min_rounds"))


@pytest.mark.benchmark(timer=REPLAY)
@pytest.mark.parametrize("candidate", CANDIDATES)
def test_step(race, rounds, workload, candidate, benchmark):
    race.check(candidate)
    times, quiet = rounds
    benchmark.group = workload
    benchmark.extra_info["elements"] = elements(WORKLOADS[workload])
    benchmark.extra_info["quiet"] = quiet
    benchmark.pedantic(REPLAY.advance, args=(iter(times[candidate]),), rounds=len(quiet))
