"""`numpy-adagrad bench`: its table, its notes, its arguments."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from helpers.benchmarks import WITHOUT_PEERS, hide_peers, set_other_load, shorten_blocks
from numpy_adagrad import _core
from numpy_adagrad.benchmark.candidates import Candidate, Step, participants
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES
from numpy_adagrad.benchmark.dense_comparison import compare_dense
from numpy_adagrad.benchmark.dense_workloads import DENSE_WORKLOADS
from numpy_adagrad.benchmark.figures import format_threads
from numpy_adagrad.cli import bench_report


@pytest.fixture(autouse=True)
def short_and_without_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_peers(monkeypatch)
    shorten_blocks(monkeypatch)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    bench_report.run(rounds=2, workloads=["1e3", "1e4"])
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "\x1b" not in printed.out
    assert "\r" not in printed.out
    lines = printed.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [name for name in DENSE_CANDIDATES if any(line.startswith(f"│ {name} ") for line in lines)] == WITHOUT_PEERS
    assert printed.out.count(" 1.00x │") >= 2
    assert f"numpy-adagrad {version('numpy-adagrad')}, numpy " in printed.out
    assert f"{format_threads(_core.max_threads())}, instruction set {_core.isa}" in printed.out


def test_every_workload_needs_numpy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not ml_dtypes, which the extra `cli` does not bring."""
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    for name in bench_report.SHORT:
        workload = DENSE_WORKLOADS[name]
        small = workload._replace(shapes=[(3,)] * min(2, len(workload.shapes)))
        comparison = compare_dense(small, participants(DENSE_CANDIDATES, workload.kind))
        assert list(next(comparison.rounds()).seconds) == WITHOUT_PEERS
        assert not any(comparison.errors.values())


def test_notes_on_errors_and_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_other_load(monkeypatch, True)
    monkeypatch.setitem(DENSE_CANDIDATES, "NumPy", Candidate(lambda *_: Step(lambda: None), "torch"))
    bench_report.run(rounds=1, workloads=["1e3"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "1e3, NumPy: 1000 of 1000 elements differ from the formula" in printed
    assert "Other processes were busy in every round of 1e3: measure again." in printed
    assert "│ memory_bound │" in printed


def test_a_library_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As numba with a NumPy that is too new for it: the command ended with a traceback."""

    def fail(*_: object) -> Step:
        raise ImportError("numba needs an older NumPy")

    monkeypatch.setitem(DENSE_CANDIDATES, "NumPy", Candidate(fail, "torch", reference="memory_bound"))
    bench_report.run(rounds=1, workloads=["1e3"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "1e3, NumPy: left out, as it cannot be imported: numba needs an older NumPy" in printed
    assert "│ memory_bound │" in printed
    assert "│ NumPy │" not in printed


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["--help"], 0, "--rounds"),
        (["--rounds", "0"], 2, "--rounds"),
        (["more"], 2, "more"),
    ],
)
def test_arguments(arguments: list[str], status: int, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "numpy_adagrad", "bench", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert expected in done.stdout + done.stderr
