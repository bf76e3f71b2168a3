"""Python programs in new processes, for all that cannot be tested in this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.effort import times

TESTS = Path(__file__).parents[1]
# The tests' own modules first, those of bench, then what this process was given.
OWN_MODULES = [str(TESTS), str(TESTS.parent / "bench")]
SEARCH_PATH = os.pathsep.join([*OWN_MODULES, *filter(None, [os.environ.get("PYTHONPATH")])])


def run(*arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments. A variable that is None is removed."""
    variables = {**os.environ, "PYTHONPATH": SEARCH_PATH, **environment}
    return subprocess.run(
        [sys.executable, *arguments],
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=times(300, 3_000),
        check=False,
    )


def succeed(*arguments: str, **environment: str | None) -> str:
    """The output of Python with these arguments. It must succeed and write nothing to stderr."""
    done = run(*arguments, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def preloadable(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library compiled from a C++ file of `tests/programs`, to be preloaded."""
    library = tmp_path_factory.mktemp("library") / f"{name}.so"
    command = [os.environ.get("CXX", "c++"), "-std=c++17", "-O1", "-shared", "-fPIC", "-o"]
    subprocess.run([*command, library, TESTS / "programs" / f"{name}.cpp"], check=True)
    return library


def script(name: str) -> str:
    """The path of a program of `tests/programs`."""
    return str(TESTS / "programs" / f"{name}.py")


def program(name: str, *arguments: object, **environment: str | None) -> str:
    """The output of that program. It must succeed and write nothing to stderr."""
    return succeed(script(name), *map(str, arguments), **environment)
