"""Processes of every kind, the end of a process, and the environment that a process starts with."""

import os
from typing import Any

import pytest
from helpers.dialects import Dialect
from helpers.effort import times
from helpers.interpreters import program, run, script
from programs.processes import CASES

PROCESSORS = len(os.sched_getaffinity(0))
COUNT = times(3, 100)


@pytest.mark.parametrize("case", [case.__name__ for case in CASES])
def test_steps_in_other_processes_and_threads(dialect: Dialect, case: str) -> None:
    steps = COUNT * 3 if case in ("spawn", "forkserver") else COUNT
    assert program("processes", case, dialect, COUNT, OMP_NUM_THREADS="2") == f"{steps} {steps}\n"


def test_steps_while_the_interpreter_exits(dialect: Dialect) -> None:
    expected = ("finalizer", "first handler", "last handler", "object", "thread")
    for _ in range(times(1, 100)):
        lines = program("at_exit", dialect, OMP_NUM_THREADS="2").splitlines()
        assert sorted(lines) == [f"{name} True" for name in expected]


# The environment and the number of threads; libgomp complains of some.
ENVIRONMENTS: list[tuple[dict[str, str | None], int]] = [
    ({"OMP_NUM_THREADS": None}, PROCESSORS),
    ({"OMP_NUM_THREADS": "1"}, 1),
    ({"OMP_NUM_THREADS": "3"}, 3),
    ({"OMP_NUM_THREADS": "2,3"}, 2),
    ({"OMP_NUM_THREADS": "1000"}, 1000),
    ({"OMP_NUM_THREADS": ""}, PROCESSORS),
    ({"OMP_NUM_THREADS": "0"}, PROCESSORS),
    ({"OMP_NUM_THREADS": "-3"}, PROCESSORS),
    ({"OMP_NUM_THREADS": "4294967296"}, 1),
    ({"OMP_NUM_THREADS": "1000000000000"}, 1),
    ({"OMP_NUM_THREADS": "many"}, PROCESSORS),
    ({"OMP_NUM_THREADS": "9" * 30}, PROCESSORS),
    ({"OMP_NUM_THREADS": "3", "OMP_THREAD_LIMIT": "1"}, 1),
    ({"OMP_NUM_THREADS": "1000", "OMP_THREAD_LIMIT": "5"}, 5),
    ({"OMP_NUM_THREADS": "3", "OMP_PLACES": "{0}"}, 3),
    ({"OMP_NUM_THREADS": "3", "OMP_PLACES": "threads", "OMP_PROC_BIND": "spread"}, 3),
    ({"OMP_NUM_THREADS": "3", "OMP_PLACES": "anywhere"}, 3),
    ({"OMP_NUM_THREADS": "3", "OMP_PROC_BIND": "close", "OMP_WAIT_POLICY": "active", "OMP_DYNAMIC": "true"}, 3),
    ({"OMP_NUM_THREADS": "3", "OMP_STACKSIZE": "64K", "OMP_MAX_ACTIVE_LEVELS": "0"}, 3),
]


@pytest.mark.parametrize(("environment", "threads"), ENVIRONMENTS, ids=[str(e) for e, _ in ENVIRONMENTS])
def test_environments(environment: dict[str, str | None], threads: int) -> None:
    variables: dict[str, Any] = dict.fromkeys(name for name in os.environ if name.startswith(("OMP_", "GOMP_")))
    for _ in range(times(1, 100)):
        done = run(script("environment"), **{**variables, **environment})
        assert (done.returncode, done.stdout) == (0, f"{threads} True\n"), done.stderr
        assert all(not line or line.startswith("libgomp: ") for line in done.stderr.splitlines())
