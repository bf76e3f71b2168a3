"""The programs in `bench/`, from measurement to page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.examples import PNG
from numpy_adagrad import _core
from numpy_adagrad.benchmark.candidates import participants
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES
from numpy_adagrad.optimizers import OPTIMIZERS
from sparse_candidates import SPARSE_CANDIDATES

TESTS = Path(__file__).parents[1]
BENCH = TESTS.parent / "bench"


def run(program: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(program), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, **environment}
    )


def test_every_installed_candidate_is_checked_and_timed(tmp_path: Path) -> None:
    """On two small workloads; the program ends with an error if the result of a candidate is wrong."""
    result = tmp_path / "result.json"
    options: list[str | Path] = [
        "--small",
        "--rounds",
        "1",
        "--threads",
        "1",
        "--workloads",
        "1e3",
        "zipf 4096",
        "--out",
        result,
    ]
    done = run(BENCH / "run.py", *options, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    written = json.loads(result.read_text())
    assert written["schema"] == 2
    assert written["machine"]["instruction_set"] == _core.isa
    assert written["versions"]["numpy-adagrad"] == _core.version
    command = f"OMP_NUM_THREADS=1 {written['command'].partition('OMP_NUM_THREADS=1 ')[2]}"
    assert written["command"] == command
    assert command.endswith(f"run.py --small --rounds 1 --threads 1 --workloads 1e3 'zipf 4096' --out {result}")
    dense, sparse = written["measurements"]
    assert [dense["workload"], sparse["workload"]] == ["1e3", "zipf 4096"]
    obedient = len(os.sched_getaffinity(0)) > 1
    assert list(dense["seconds"]) == participants(DENSE_CANDIDATES, "float32", threads_set=obedient)
    assert list(sparse["seconds"]) == participants(SPARSE_CANDIDATES, "float32", threads_set=obedient)
    for measured in (dense, sparse):
        assert all(len(seconds) == len(measured["idle"]) for seconds in measured["seconds"].values())
    assert dense["bytes"] == 20_000
    assert dense["rows"] is None
    assert 0 < sparse["rows"] < 4096


def test_wrong_results_end_the_program(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    options = ["--rounds", "1", "--workloads", "1e3", "--out", str(result)]
    done = run(TESTS / "programs" / "wrong_benchmark.py", *options, PYTHONPATH=str(BENCH))
    assert done.returncode == 1
    assert done.stderr == "1e3, NumPy: 1000 of 1000 elements differ from the formula\n"
    assert not result.exists()


def test_pauses(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    sizes = ["--lengths", "1000", "--busy", "1000"]
    done = run(BENCH / "pauses.py", "--out", page, "--rounds", "1", "--seconds", "0.01", *sizes)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("<!-- pauses: written by bench/ -->\nA single step of `TorchAdagrad` on one thread")
    assert "\n| elements | pause 0 ms | pause 1 ms | pause 10 ms |\n|---|---|---|---|\n| 1,000 | " in text
    assert "\n| TorchAdagrad, alone | " in text
    assert "\n| torch-fused, beside one busy process | " in text


def test_a_build_compared_with_itself() -> None:
    rows = [
        "1e3 scheduled",
        "2000x256 new gradients",
        "bfloat16/float32 1e5",
        "clipped 1e5",
        "sparse one row",
        "sparse Zipf",
    ]
    quick = ["--threads", "1", "--rounds", "2", "--processes", "1", "--seconds", "1e-4", "--rows", *rows]
    done = run(BENCH / "compare_builds.py", sys.executable, sys.executable, *quick)
    assert done.returncode == 0, done.stderr
    before, after, *_ = lines = done.stdout.splitlines()
    assert before.startswith(f"before: numpy-adagrad {_core.version} in ")
    assert after == before.replace("before", "after")
    for row in rows:
        assert sum(line.startswith(f"{row} ") and line.split()[-1].count(".") == 1 for line in lines) == 2


def test_a_build_with_other_bits(tmp_path: Path) -> None:
    changed = tmp_path / "python"
    changed.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{TESTS}/programs/changed_build.py" "$@"\n')
    changed.chmod(0o755)
    quick = ["--threads", "1", "--rounds", "2", "--processes", "1", "--seconds", "1e-4", "--rows", "1e3"]
    done = run(BENCH / "compare_builds.py", sys.executable, changed, *quick)
    assert done.returncode == 0, done.stderr
    torch, mindspore = done.stdout.splitlines()[-2:]
    assert torch.endswith("  different bits!")
    assert not mindspore.endswith("different bits!")


def test_unknown_rows_of_builds() -> None:
    done = run(BENCH / "compare_builds.py", sys.executable, sys.executable, "--rows", "1e9")
    assert done.returncode == 2
    assert "--rows: expected some of ['1e3', " in done.stderr


@pytest.mark.parametrize("busy", [False, True])
def test_bounds(tmp_path: Path, busy: bool) -> None:
    result, page, picture = (tmp_path / name for name in ("bounds.json", "page.md", "page.png"))
    quick = ["--threads", "1", "--rounds", "1", "--seconds", "1e-3", "--paused-lengths", "5000", "--arrays", "1"]
    lengths = ["--lengths", "5000", "--odd-lengths", "5000"]
    sparse = ["--rows", "one row", "ascending, unique", "--widths", "1", "4"]
    done = run(BENCH / "bounds.py", "--out", result, *quick, *lengths, *sparse, *(["--busy"] if busy else []))
    assert done.returncode == 0, done.stderr
    assert json.loads(result.read_text())["busy"] is busy
    done = run(BENCH / "bounds_report.py", result, "--out", page, "--picture", picture)
    assert (done.returncode, done.stderr) == (0, "")
    begin, measured, *_, end = lines = page.read_text().splitlines()
    name = "bounds, busy" if busy else "bounds"
    assert (begin, end) == (f"<!-- {name}: written by bench/ -->", f"<!-- end of {name} -->")
    assert measured.startswith("Measured on 20")
    rows = [[each.strip() for each in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert [row[:2] if row[1].replace(",", "").isdigit() else row[:1] for row in rows] == [
        ["elements"],
        ["5,000"],
        ["5,000, odd gradient"],
        ["between"],
        ["asleep", "5,000"],
        ["NumPy on one thread", "5,000"],
        ["matrix products", "5,000"],
        ["rows"],
        ["one row"],
        ["ascending, unique"],
        ["rows"],
        ["one row"],
        ["ascending, unique"],
        ["ascending, unique: NumPy's indexing"],
        ["new optimizer"],
        ["construction"],
        ["first step"],
    ]
    assert [line for line in lines if line.startswith("#")] == [
        "### Steps in a row, 1 thread",
        "### 3 ms between two steps, 1 thread",
        "### 65,536 rows of a table, 1 thread",
        "### A new optimizer, 1 thread",
    ]
    assert picture.read_bytes().startswith(PNG)


def test_bounds_of_another_schema(tmp_path: Path) -> None:
    result = tmp_path / "bounds.json"
    result.write_text('{"schema": 0}')
    done = run(BENCH / "bounds_report.py", result, "--out", tmp_path / "page.md")
    assert done.returncode == 1
    assert done.stderr == f"{result}: expected a result file of schema 1, got 0\n"


def test_the_drop_in(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    workloads = ["one of 100 tensors moves", "sparse embedding, 4,096 of 100,000 x 64"]
    done = run(BENCH / "dropin.py", "--out", page, "--rounds", "1", "--steps", "1", "--workloads", *workloads)
    assert done.returncode == 0, done.stderr
    rows = [line.removeprefix("| ").split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows[1:]] == workloads
    assert [row[-1].split("; ")[0].endswith("(1.00x)") for row in rows[1:]] == [True, True]
    assert rows[2][3] == "not possible"


def test_the_floor_of_the_drop_in() -> None:
    done = run(BENCH / "dropin_floor.py", "--tensors", "10", "--rounds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["gradients", "update", "step"]
    assert all(float(row[1]) == float(row[2]) >= 0 for row in rows)  # of one round


def test_small_steps() -> None:
    done = run(BENCH / "small_steps.py", "--rounds", "1", "--steps", "3")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    ways = ["plain", "schedule", "max_norm", "grad_scale", "dict"]
    assert [row[:2] for row in rows] == [[rule, way] for rule in ("torch", "mindspore") for way in ways]
    assert [row[3] for row in rows if row[1] == "plain"] == ["1.00x", "1.00x"]


def test_growth() -> None:
    done = run(BENCH / "growth.py", "--rounds", "1", "--numbers", "3", "30")
    assert (done.returncode, done.stderr) == (0, "")
    heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["3", "30"]
    assert [row.split()[0] for row in rows] == [optimizer.__name__ for optimizer in OPTIMIZERS.values()]
