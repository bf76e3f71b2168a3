"""A handler of SIGINT or SIGTERM may save, whenever the signal comes."""

from pathlib import Path

from helpers.dialects import Dialect
from helpers.effort import times
from helpers.interpreters import program


def test_each_file_that_a_handler_saves_is_the_state_between_two_steps(dialect: Dialect, tmp_path: Path) -> None:
    """The program steps, saves and loads meanwhile."""
    signals = times(100, 1000)
    handled, moments, wrong = program("saving_handler", dialect, tmp_path, signals).split(maxsplit=2)
    assert (int(handled), wrong) == (signals, "[] []\n")
    assert int(moments) > signals // 10
