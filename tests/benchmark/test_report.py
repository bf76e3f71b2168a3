"""The tables and the picture that `bench/report.py` makes from a result file."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from helpers.examples import PNG
from numpy_adagrad.benchmark.dense_workloads import DENSE_WORKLOADS

REPORT = Path(__file__).parents[2] / "bench" / "report.py"
Report: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


def measurement(workload: str, threads: int, idle: Sequence[bool]) -> dict[str, Any]:
    microseconds = {"memory_bound": 10, "TorchAdagrad": 12, "torch-fused": 24}
    if workload == "1e4":
        del microseconds["torch-fused"]
    dense = DENSE_WORKLOADS.get(workload)
    return {
        "workload": workload,
        "threads": threads,
        "bytes": dense.bytes if dense else 1.28e6,
        "rows": None if dense else 1000.0,
        "idle": list(idle),
        "seconds": {name: [each * 1e-6 / threads, each * 3e-6 / threads, 1] for name, each in microseconds.items()},
    }


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Return a function that writes a page and a picture. Other processes are busy in the last of three rounds."""

    def run(
        idle: Sequence[bool] = (True, True, False),
        workloads: Sequence[str] = ("1e3", "1e4", "2000x256", "clipped 1e5"),
        schema: int = 2,
    ) -> subprocess.CompletedProcess[str]:
        result = {
            "date": "2026-01-31",
            "machine": {
                "processor": "A processor",
                "processors": "2",
                "instruction_set": "v3",
                "system": "Linux",
                "architecture": "x86_64",
            },
            "versions": {"Python": "3.11", "numpy": "2"},
            "command": "OMP_NUM_THREADS=2 python bench/run.py",
            "measurements": [measurement(workload, count, idle) for workload in workloads for count in (1, 2)],
            "schema": schema,
        }
        path = tmp_path / "result.json"
        path.write_text(json.dumps(result))
        command = [REPORT, path, "--out", tmp_path / "page.md", "--picture", tmp_path / "page.png"]
        return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)

    return run


def test_the_block_between_its_markers_is_replaced(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures: written by bench/ -->\nold\n<!-- end of figures -->\nafter\n")
    done = report()
    assert (done.returncode, done.stderr) == (0, "")
    text = page.read_text()
    assert text.startswith("before\n<!-- figures: written by bench/ -->\nMeasured on 2026-01-31: A processor, 2 ")
    assert text.endswith("\n<!-- end of figures -->\nafter\n")
    assert "old" not in text
    assert (
        "A processor, 2 processors, instruction set v3, Linux x86_64; Python 3.11, numpy 2. "
        "2 rounds on an idle machine.\n\n    OMP_NUM_THREADS=2 python bench/run.py\n"
    ) in text
    assert (tmp_path / "page.png").read_bytes().startswith(PNG)


def test_tables(report: Report, tmp_path: Path) -> None:
    assert report().returncode == 0
    two_threads, one_thread = (
        (tmp_path / "page.md")
        .read_text()
        .split("### All candidates, 2 threads\n")[1]
        .split("### All candidates, 1 thread\n")
    )
    for tables in (two_threads, one_thread):
        times, ratios = tables.split("Ratio to the memory bound:\n\n")
        assert (
            "Median time of a step:\n\n|  | memory_bound | TorchAdagrad | torch-fused |\n|---|---|---|---|\n" in times
        )
        assert ratios.startswith(
            "|  | TorchAdagrad | torch-fused |\n|---|---|---|\n| 1e3 | 1.20x | 2.40x |\n| 1e4 | 1.20x |  |\n"
            "| 2000x256 | 1.20x | 2.40x |\n| clipped 1e5 | 1.20x | 2.40x |\n"
        )
    assert "| 1e3 | 10.0 µs | 12.0 µs | 24.0 µs |\n| 1e4 | 10.0 µs | 12.0 µs |  |\n" in two_threads
    assert "| 1e3 | 20.0 µs | 24.0 µs | 48.0 µs |\n" in one_thread


def test_a_busy_machine(report: Report, tmp_path: Path) -> None:
    done = report(idle=(False, False, False))
    assert done.returncode == 1
    assert done.stderr == "1e3, 1 thread: other processes were busy in every round; measure again\n"
    assert not (tmp_path / "page.md").exists()


def test_another_schema(report: Report, tmp_path: Path) -> None:
    done = report(schema=1)
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path / 'result.json'}: expected a result file of schema 2, got 1\n"
    assert not (tmp_path / "page.md").exists()


def test_sparse_gradients(report: Report, tmp_path: Path) -> None:
    assert report(workloads=["1e3", "zipf 4096", "uniform 4096"]).returncode == 0
    dense, sparse = (tmp_path / "page.md").read_text().split("<!-- end of figures -->\n")
    assert "zipf" not in dense
    assert sparse.endswith("\n<!-- end of sparse -->\n")
    introduction = "Distinct rows in a step: zipf 4096: 1,000; uniform 4096: 1,000.\n"
    assert sparse.startswith(f"<!-- sparse: written by bench/ -->\n{introduction}")
    heading = "### All candidates, sparse gradients, "
    two_threads = sparse.split(f"{heading}2 threads\n")[1].split(f"{heading}1 thread\n")[0]
    assert "| zipf 4096 | 10.0 µs | 12.0 µs | 24.0 µs |" in two_threads
    assert "| zipf 4096 | 1.20x | 2.40x |" in two_threads
    assert "| zipf 4096 | 100 | 83.3 | 41.7 |" in two_threads
    assert sparse.count("A processor") == 0


def test_sparse_gradients_alone(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- figures: written by bench/ -->\nkept\n<!-- end of figures -->\n")
    assert report(workloads=["zipf 4096"]).returncode == 0
    text = page.read_text()
    assert text.startswith("<!-- figures: written by bench/ -->\nkept\n<!-- end of figures -->\n<!-- sparse: ")
    assert text.count("A processor, 2 processors, ") == 1
    assert not (tmp_path / "page.png").exists()
