"""Python programs on several ranks of this machine."""

import os
import subprocess
import sys
from pathlib import Path

from helpers.interpreters import SEARCH_PATH, script

MPIEXEC = Path(sys.executable).with_name("mpiexec")  # that of the mpich wheel
RANKS = (1, 2, 3, 4)
PLACES = [*((ranks, 1) for ranks in RANKS), *((ranks, 2) for ranks in RANKS[1:])]
"""Numbers of ranks and of machines."""
TIMEOUT = 30  # seconds, within which each failure must end
# More ranks than cores: a rank that waits must give way to the others.
ENVIRONMENT = {"MPIR_CVAR_ENABLE_HEAVY_YIELD": "1", "OMP_NUM_THREADS": "1"}


def launch(
    ranks: int, path: str | Path, *arguments: object, aborts: bool = True, machines: int = 1
) -> subprocess.CompletedProcess[str]:
    """Run a program on so many ranks, as the guide says: with `aborts`, an exception of one ends all.

    MPICH sends messages between them as if they were on so many machines.
    """
    python = [sys.executable, *(["-m", "mpi4py"] if aborts else [])]
    command = [str(MPIEXEC), "-n", str(ranks), *python, str(path), *map(str, arguments)]
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": SEARCH_PATH, **ENVIRONMENT, "MPIR_CVAR_NUM_CLIQUES": str(machines)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def job(ranks: int, name: str, *arguments: object, machines: int = 1) -> str:
    """The output of a program of `tests/programs` that succeeds on all ranks and writes nothing to stderr."""
    done = launch(ranks, script(name), *arguments, machines=machines)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout
