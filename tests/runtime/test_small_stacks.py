"""Threads with small stacks: `threading.stack_size`, and every thread where the C library is musl."""

import pytest
from helpers.dialects import Dialect
from helpers.interpreters import program


@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_works_with_a_stack_of_64_kib(dialect: Dialect, threads: int) -> None:
    assert program("small_stack", dialect, OMP_NUM_THREADS=str(threads)) == "True\n"
