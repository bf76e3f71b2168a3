"""The interpreter exits in peace while daemon threads are in the core."""

import pytest
from helpers.dialects import Dialect
from helpers.effort import times
from helpers.interpreters import program

CASES = ("in_a_step", "in_a_constructor", "in_a_schedule")


@pytest.mark.parametrize("case", CASES)
def test_exit_while_a_daemon_thread_is(dialect: Dialect, case: str) -> None:
    for _ in range(times(2, 100)):
        assert program("daemon_at_exit", case, dialect, OMP_NUM_THREADS="2") == "exits\n"
