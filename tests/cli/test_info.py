"""`numpy-adagrad info`, as a script and as a module."""

import sysconfig
from pathlib import Path

import pytest
from helpers.command import MODULE, OPTIONAL, Call, printed
from numpy_adagrad import show_config

SCRIPT = (str(Path(sysconfig.get_path("scripts"), "numpy-adagrad")),)


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
@pytest.mark.parametrize("without", [(), OPTIONAL], ids=["everything", "numpy alone"])
def test_info_prints_the_configuration(call: Call, command: list[str], without: list[str]) -> None:
    # The number of threads is set here, because MindSpore, once imported in this process, changes it.
    output = printed(call("info", command=command, without=without, OMP_NUM_THREADS="3"))
    lines = dict(line.split(": ", 1) for line in output.splitlines())
    assert lines == {key: str(value) for key, value in {**show_config(), "threads": 3}.items()}
