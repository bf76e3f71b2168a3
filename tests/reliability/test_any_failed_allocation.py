"""The n-th allocation of the process fails, for each n, in calls of every kind: nothing changes, later calls are right.

`tests/runtime/test_failed_allocations.py` does the same for the core's own allocations, in larger steps.
"""

from pathlib import Path

import pytest
from helpers.dialects import Dialect
from helpers.interpreters import preloadable, run, script

# With the least number of allocations that a call makes: fewer would mean that some are not seen.
CALLS = {
    "dense": 1, "first": 10, "sparse": 5, "clipped": 3, "scheduled": 2, "first scheduled": 10, "group": 50, "many": 200,
    "construction": 50, "save": 300, "load": 200, "state_dict": 100,
}  # fmt: skip


@pytest.fixture(scope="module")
def failing_malloc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preloadable("failing_malloc", tmp_path_factory)


@pytest.mark.parametrize("call", CALLS)
def test_each_allocation_may_fail(failing_malloc: Path, dialect: Dialect, call: str) -> None:
    """Python reports some failures in its cleanup on stderr, and Rust some others."""
    environment = {"LD_PRELOAD": str(failing_malloc), "PYTHONMALLOC": "malloc", "OMP_NUM_THREADS": "2"}
    done = run(script("any_failed_allocation"), str(failing_malloc), str(dialect), call, **environment)
    assert done.returncode == 0, done.stderr
    allocations, failures = map(int, done.stdout.split())
    assert allocations >= CALLS[call]
    assert failures > 0
