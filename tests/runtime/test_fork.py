"""Forked children: they step, big arrays included, to the right bits, and none of them hangs."""

import pytest
from helpers.dialects import Dialect
from helpers.interpreters import program
from programs.fork import CASES


@pytest.mark.parametrize("case", [case.__name__ for case in CASES])
def test_fork(dialect: Dialect, case: str) -> None:
    """The children's steps are right, so are the parent's, and the parent keeps its threads."""
    assert program("fork", case, dialect, OMP_NUM_THREADS="2") == "True True 2\n"
