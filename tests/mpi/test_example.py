"""The example trains on any number of ranks."""

import re
import subprocess
import sys
from pathlib import Path

from helpers.mpi_job import launch

EXAMPLE = Path(__file__).parents[2] / "examples" / "mpi_digits.py"


def losses(result: "subprocess.CompletedProcess[str]") -> list[str]:
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return re.findall(r"^epoch +\d+: loss ([\d.]+), [\d.]+ s on \d ranks?$", result.stdout, re.MULTILINE)


def test_the_loss_falls_alike_with_divided_accumulators() -> None:
    found = [losses(launch(3, EXAMPLE, "--epochs", "4", *options)) for options in ([], ["--sharded"])]
    assert found[0] == found[1]
    numbers = [float(loss) for loss in found[0]]
    assert len(numbers) == 4
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] < 0.3


def test_it_runs_without_mpiexec() -> None:
    command = [sys.executable, str(EXAMPLE), "--epochs", "1"]
    assert len(losses(subprocess.run(command, capture_output=True, text=True, check=False, timeout=60))) == 1
