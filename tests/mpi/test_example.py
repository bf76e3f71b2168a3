"""The examples train on any number of ranks."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.examples import EXAMPLES, PNG
from helpers.mpi_job import launch

DIGITS, EMBEDDINGS = EXAMPLES / "mpi_digits.py", EXAMPLES / "mpi_embeddings.py"


def output(result: "subprocess.CompletedProcess[str]", plot: Path) -> str:
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    assert f"plot saved to {plot}" in result.stdout.replace("\n", " ")
    assert plot.read_bytes().startswith(PNG)
    return result.stdout


def losses(text: str) -> list[str]:
    """Those that one rank has printed."""
    return re.findall(r"^epoch +\d+: loss ([\d.]+)(?:, [\d.]+ s, ranks: \d)?$", text, re.MULTILINE)


def assert_falling(found: list[str], count: int) -> None:
    numbers = [float(loss) for loss in found]
    assert len(numbers) == count
    assert numbers == sorted(numbers, reverse=True)


def test_the_loss_falls_alike_with_divided_accumulators(tmp_path: Path) -> None:
    plot = tmp_path / "digits.png"
    texts = [
        output(launch(3, DIGITS, "--epochs", "4", "--out", plot, *options), plot) for options in ([], ["--sharded"])
    ]
    found = [losses(text) for text in texts]
    assert found[0] == found[1]
    assert_falling(found[0], 4)
    assert float(found[0][-1]) < 0.3
    assert "4/4" in texts[0]  # the progress bar of one rank
    assert texts[0].count("epochs ") == 1


def test_it_runs_without_mpiexec(tmp_path: Path) -> None:
    plot = tmp_path / "digits.png"
    command = [sys.executable, str(DIGITS), "--epochs", "1", "--out", str(plot)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert len(losses(output(done, plot))) == 1


@pytest.mark.parametrize("epochs", ["0", "-1"])
def test_it_needs_an_epoch(epochs: str) -> None:
    """Its plot failed without one."""
    command = [sys.executable, str(DIGITS), "--epochs", epochs]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.endswith(f"error: argument --epochs: expected at least 1, got {epochs}\n")


def test_divided_tables_have_the_same_bits_on_1_2_and_4_ranks(tmp_path: Path) -> None:
    plot = tmp_path / "words.png"
    found = {n: output(launch(n, EMBEDDINGS, "--epochs", "1", "--out", plot), plot) for n in (1, 2, 4)}
    assert float(losses(found[1])[0]) < 3 < 6 * math.log(2)  # the loss of tables that know nothing
    shares = {n: re.findall(r"by rank: (.*)", text) for n, text in found.items()}
    assert {n: len(share[0].split(", ")) for n, share in shares.items()} == {1: 1, 2: 2, 4: 4}
    digests = {n: re.findall(r"digest of (\w+): (\w+)", text) for n, text in found.items()}
    assert [name for name, _ in digests[1]] == ["vectors", "context"]
    assert digests[2] == digests[1]
    assert digests[4] == digests[1]
    near = re.findall(r"^\w+: .*, .*$", found[1], re.MULTILINE)
    assert len(near) == 11
    assert all(re.findall(r"^\w+: .*, .*$", found[n], re.MULTILINE) == near for n in (2, 4))
