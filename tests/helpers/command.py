"""Run `numpy-adagrad` as users run it, and check what it prints."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

Result: TypeAlias = "subprocess.CompletedProcess[str]"
Call: TypeAlias = Callable[..., Result]

MODULE = (sys.executable, "-m", "numpy_adagrad")
COMMANDS = ("info", "translate", "diff", "demo", "bench")
OPTIONAL = ("rich", "matplotlib", "sklearn", "scipy", "torch", "mindspore", "numba", "jax", "optax", "ml_dtypes")


def run(
    folder: Path, *arguments: str, command: Sequence[str] = MODULE, without: Sequence[str] = (), **environment: str
) -> Result:
    """Run the command in a folder, with its output piped and no display, as if some modules were not installed."""
    hidden = folder / "hidden"
    hidden.mkdir(exist_ok=True)
    for name in without:
        (hidden / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module', name={name!r})")
    variables = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(hidden), **environment}
    for name in {"DISPLAY", "COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE"} - environment.keys():
        variables.pop(name, None)
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def printed(result: Result) -> str:
    """The output of a command that succeeds and writes nothing to stderr."""
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def assert_one_line(result: Result, status: int, message: str) -> None:
    """The command prints nothing but one line on stderr, which contains the message."""
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith("numpy-adagrad: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
