"""The benchmark: who takes part, that wrong answers are seen, which rounds count, the command, the report."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import accumulate, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest
from helpers.interpreters import output
from numpy_adagrad.benchmark import candidates
from numpy_adagrad.benchmark import comparison as race
from numpy_adagrad.benchmark.candidates import CANDIDATES, Candidate, Stepper, participants, versions
from numpy_adagrad.benchmark.comparison import Race, dense_race
from numpy_adagrad.benchmark.figures import digits, duration, kept, median_ratio
from numpy_adagrad.benchmark.row_candidates import ROW_CANDIDATES
from numpy_adagrad.benchmark.row_comparison import row_race
from numpy_adagrad.benchmark.row_workloads import TABLES, Batch, Table, draw_batches, draw_indices
from numpy_adagrad.benchmark.workloads import WORKLOADS, Workload
from numpy_adagrad.cli import bench_report as command
from numpy_adagrad.inputs.types import Array

REPORT = Path(__file__).parents[2] / "bench" / "report.py"
PEERS = ("torch", "numba", "jax", "optax", "mindspore", "fbgemm_gpu")
Report: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

ALONE = ["floor", "TorchAdagrad", "MindSporeAdagrad", "NumPy"]
TINY = [(1000,), (3, 5)]
KINDS = [
    Workload("float32", TINY),
    Workload("float64", TINY, "float64"),
    Workload("bfloat16", TINY, "bfloat16"),
    Workload("bfloat16/float32", TINY, "bfloat16", "float32"),
    Workload("clipped", TINY, max_norm=1.0),
]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other library is installed."""
    for name in PEERS:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "BLOCK_SECONDS", 1e-5)


# Workloads and candidates


def test_bytes_of_an_element() -> None:
    assert [workload.element_bytes for workload in KINDS] == [20, 40, 10, 14, 24]
    assert [workload.yardstick for workload in KINDS] == [1, 1, 1, 1, 1.2]
    assert [workload.kind for workload in KINDS] == [workload.name for workload in KINDS]


def test_every_workload_is_of_a_kind_that_somebody_steps() -> None:
    assert {workload.kind for workload in WORKLOADS.values()} == set(candidates.EVERY_KIND)
    assert all("floor" in participants(workload) for workload in WORKLOADS.values())


def test_without_peers_the_package_and_numpy_take_part(alone: None) -> None:
    assert participants(WORKLOADS["1e3"]) == ALONE
    assert list(versions()) == ["numpy-adagrad", "numpy"]


@pytest.mark.parametrize("missing", ["jax", "optax"])
def test_a_peer_needs_all_its_modules(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(candidates, "find_spec", lambda name: None if name == missing else object())
    assert set(CANDIDATES) - set(participants(WORKLOADS["1e3"])) == {"optax"}


def test_where_threads_are_set_only_those_who_obey_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "find_spec", lambda name: object())
    assert participants(WORKLOADS["1e3"]) == list(CANDIDATES)
    assert set(CANDIDATES) - set(participants(WORKLOADS["1e3"], threads_set=True)) == {"optax", "MindSpore"}


# Answers


@pytest.mark.parametrize("workload", KINDS, ids=lambda workload: workload.name)
def test_the_first_steps_are_right(workload: Workload) -> None:
    """JAX and numba, which do not get on with forking, are looked at by bench/ alone."""
    names = [name for name in participants(workload) if name not in ("numba", "optax")]
    assert dense_race(workload, names).complaints == {name: [] for name in names}


def test_wrong_first_steps_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CANDIDATES, "lazy", Candidate(lambda *_: Stepper(lambda: None), "torch"))
    monkeypatch.setitem(CANDIDATES, "odd", Candidate(candidates.torch_rule, "torch", twin="lazy"))
    assert dense_race(KINDS[0], ["lazy", "odd"]).complaints == {
        "lazy": ["1015 of 1015 elements are not what the formula gives"],
        "odd": ["other bits than lazy"],
    }


# Rows


TABLE = Table("rows", 300, 100, 3, zipf=True)


def test_a_peer_of_rows_needs_its_modules(alone: None) -> None:
    assert participants(TABLE, among=ROW_CANDIDATES) == ALONE
    assert list(versions(ROW_CANDIDATES)) == ["numpy-adagrad", "numpy"]


def test_batches() -> None:
    evenly, often = (draw_indices(TABLE._replace(indices=10_000, zipf=zipf)) for zipf in (False, True))
    for batches in (evenly, often):
        assert [batch.shape for batch in batches] == [(10_000,)] * 3
        assert all(batch.dtype == np.int64 and batch.min() >= 0 and batch.max() < 300 for batch in batches)
        assert not np.array_equal(batches[0], batches[1])
    assert np.bincount(evenly[0]).max() < 80
    counts = np.sort(np.bincount(np.concatenate(often)))[::-1]
    # The sum of 1, 1/2, ..., 1/300 is 6.28.
    np.testing.assert_allclose(counts[:8], 30_000 / 6.28 / np.arange(1, 9), rtol=0.15)
    assert np.argmax(np.bincount(often[0])) != 0


def test_bytes_of_rows() -> None:
    touched = [len(set(batch.indices.tolist())) for batch in draw_batches(TABLE)]
    assert TABLE.touched == sum(touched) / 3
    assert TABLE.bytes == TABLE.touched * 64 * 20
    assert {table.batches * table.indices for table in TABLES.values()} == {2**19}


def test_the_first_steps_on_rows_are_right() -> None:
    names = [name for name in participants(TABLE, among=ROW_CANDIDATES) if name not in ("numba", "FBGEMM")]
    assert row_race(TABLE, names).complaints == {name: [] for name in names}


def test_wrong_first_steps_on_rows_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(table: Array, batches: list[Batch]) -> Stepper:
        right = ROW_CANDIDATES["NumPy"].make(table, batches).step

        def step() -> None:
            right()
            table[untouched] = 1

        return Stepper(step)

    table = TABLE._replace(batches=1)
    untouched = np.setdiff1d(np.arange(table.rows), draw_indices(table))[0]
    monkeypatch.setitem(ROW_CANDIDATES, "lazy", Candidate(lambda *_: Stepper(lambda: None), "torch"))
    monkeypatch.setitem(ROW_CANDIDATES, "elsewhere", Candidate(elsewhere, "torch"))
    count = np.unique(draw_indices(table)).size * 64
    assert row_race(table, ["lazy", "elsewhere"]).complaints == {
        "lazy": [f"{count} of {count} elements are not what the formula gives"],
        "elsewhere": ["rows have moved that no gradient names"],
    }


def test_batches_take_turns() -> None:
    """The same table again would not do: each step moves the rows of another batch."""
    batches = draw_batches(TABLE)
    table = np.zeros(TABLE.shape, np.float32)
    step = ROW_CANDIDATES["TorchAdagrad"].make(table, batches).step
    for batch in (*batches, batches[0]):
        before = table.copy()
        step()
        assert set(np.flatnonzero((table != before).any(1))) == set(batch.indices)


# Rounds


@pytest.fixture
def floor_alone(quick: None) -> Race:
    return dense_race(KINDS[0], ["floor"])


def set_others(monkeypatch: pytest.MonkeyPatch, *busy: bool) -> None:
    """What others take in each round: very much or nothing; the last goes on."""
    changes = [change for each in busy for change in (0, 1e9 if each else 0)]
    taken = accumulate([*changes, *repeat(changes[-1], 1000)])
    monkeypatch.setattr(race, "others_seconds", lambda: next(taken))


def test_rounds_that_count(monkeypatch: pytest.MonkeyPatch, floor_alone: Race) -> None:
    set_others(monkeypatch, False, True, False, True, False)
    rounds = floor_alone.run(3)
    assert [one.quiet for one in rounds] == [True, False, True, False, True]
    assert all(list(one.seconds) == ["floor"] and one.seconds["floor"] > 0 for one in rounds)


def test_a_busy_machine_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch, floor_alone: Race) -> None:
    set_others(monkeypatch, True)
    assert [one.quiet for one in floor_alone.run(2)] == [False] * 10


@pytest.mark.parametrize(("busy", "count"), [(False, 7), (True, 17)])
def test_time_is_limited(monkeypatch: pytest.MonkeyPatch, floor_alone: Race, busy: bool, count: int) -> None:
    """A round takes three looks at this clock, so three seconds of ten; a busy machine has fifty."""
    clock = accumulate(repeat(1.0))
    monkeypatch.setattr(race, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(race, "SECONDS", 10.0)
    set_others(monkeypatch, busy)
    assert len(floor_alone.run(40)) == count


THREADS = """
import torch
from importlib.util import find_spec
from numpy_adagrad import _core
from numpy_adagrad.benchmark.candidates import compiled_loops
from numpy_adagrad.benchmark.threads import threads
seen = [_core.max_threads, torch.get_num_threads]
if find_spec("numba"):
    compiled_loops()
    import numba
    seen.append(numba.get_num_threads)
def tell():
    print({count() for count in seen})
tell()
with threads(1):
    tell()
    with threads(2):
        tell()
    tell()
tell()
"""


def test_threads_are_set_for_everybody() -> None:
    assert output(THREADS, OMP_NUM_THREADS="2") == "{2}\n{1}\n{2}\n{1}\n{2}\n"


# Figures


def test_figures() -> None:
    assert kept([1.0, 2.0, 3.0], [True, False, True]) == [1, 3]
    assert median_ratio([2, 6, 20], [1, 2, 4]) == 3
    assert [digits(number) for number in (0.01234, 1, 9.996, 123.4, 999.6, 12345)] == [
        "0.0123", "1.00", "10.0", "123", "1,000", "12,300",
    ]  # fmt: skip
    assert [duration(seconds) for seconds in (1.5e-6, 1e-3, 0.25)] == ["1.50 µs", "1.00 ms", "250 ms"]


# The command


def test_the_command_without_peers(alone: None, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    command.run(rounds=2, workloads=["1e3", "1e4"])
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "\x1b" not in printed.out
    assert "\r" not in printed.out
    lines = printed.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [name for name in CANDIDATES if any(line.startswith(f"│ {name} ") for line in lines)] == ALONE
    assert printed.out.count(" 1.00x │") >= 2
    assert f"numpy-adagrad {version('numpy-adagrad')}, numpy " in printed.out
    assert "threads, instruction set" in printed.out


def test_the_command_says_what_went_wrong(
    alone: None, quick: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_others(monkeypatch, True)
    monkeypatch.setitem(CANDIDATES, "NumPy", Candidate(lambda *_: Stepper(lambda: None), "torch"))
    command.run(rounds=1, workloads=["1e3"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "1e3, NumPy: 1000 of 1000 elements are not what the formula gives" in printed
    assert "Other processes kept the machine busy in every round of 1e3: measure again." in printed
    assert "│ floor │" in printed


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["--help"], 0, "--rounds"),
        (["--rounds", "0"], 2, "numpy-adagrad: argument --rounds: expected an integer of at least 1"),
        (["more"], 2, "more"),
    ],
)
def test_the_arguments_of_the_command(arguments: list[str], status: int, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "numpy_adagrad", "bench", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert expected in done.stdout + done.stderr


# The report


def made_up(workload: str, count: int, candidate: str, seconds: list[float], quiet: list[bool]) -> dict[str, Any]:
    info = {"bytes": 1.28e6, "yardstick": 1.0, "rows": 1000.0}
    if workload in WORKLOADS:
        info = {"bytes": WORKLOADS[workload].bytes, "yardstick": WORKLOADS[workload].yardstick}
    return {
        "name": f"test_step[{workload}-{count}-{candidate}]",
        "params": {"workload": workload, "count": count, "candidate": candidate},
        "stats": {"data": seconds},
        "extra_info": {**info, "quiet": quiet},
    }


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Write a page and a picture from times that are made up; what others take spoils the last of three rounds."""

    def run(
        quiet: Sequence[bool] = (True, True, False),
        workloads: Sequence[str] = ("1e3", "1e4", "2000x256", "clipped 1e5"),
    ) -> subprocess.CompletedProcess[str]:
        microseconds = {"floor": 10, "TorchAdagrad": 12, "torch-fused": 24}
        benchmarks = [
            made_up(workload, count, name, [each * 1e-6 / count, each * 3e-6 / count, 1.0], list(quiet))
            for workload in workloads
            for count in (1, 2)
            for name, each in microseconds.items()
            if (workload, name) != ("1e4", "torch-fused")
        ]
        machine = {
            "cpu": {"brand_raw": "A processor"},
            "processors": 2,
            "isa": "v3",
            "system": "Linux",
            "machine": "x86_64",
            "python_version": "3.11",
            "versions": {"numpy": "2"},
            "command": "pytest bench",
        }
        result = tmp_path / "result.json"
        result.write_text(json.dumps({"machine_info": machine, "benchmarks": benchmarks}))
        command = [REPORT, result, "--out", tmp_path / "page.md", "--picture", tmp_path / "page.png"]
        return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)

    return run


def test_the_report_writes_between_its_markers(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures: written by bench/ -->\nold\n<!-- end of figures -->\nafter\n")
    done = report()
    assert (done.returncode, done.stderr) == (0, "")
    text = page.read_text()
    assert text.startswith("before\n<!-- figures: written by bench/ -->\nA processor, 2 processors, ")
    assert text.endswith("\n<!-- end of figures -->\nafter\n")
    assert "old" not in text
    assert "2 rounds on a quiet machine.\n\n    pytest bench\n" in text
    two_threads, one_thread = text.split("### 2 threads")[1].split("### 1 thread\n")
    for table in (two_threads, one_thread):
        assert "| | floor | TorchAdagrad | torch-fused |\n|---|---|---|---|\n" in table
        assert "| | TorchAdagrad |\n|---|---|\n| 1e3 | 2.00x |\n| 2000x256 | 2.00x |\n" in table
    assert "| 1e3 | 10.0 µs (1.00x) | 12.0 µs (1.20x) | 24.0 µs (2.40x) |" in two_threads
    assert "| 1e4 | 20.0 µs (1.00x) | 24.0 µs (1.20x) |  |" in one_thread
    assert "| clipped 1e5 | 20.0 µs (0.833x) | 24.0 µs (1.00x) | 48.0 µs (2.00x) |" in one_thread
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_report_of_a_busy_machine(report: Report, tmp_path: Path) -> None:
    done = report(quiet=(False, False, False))
    assert done.returncode == 1
    assert done.stderr.endswith(": the machine was busy in every round; measure again\n")
    assert not (tmp_path / "page.md").exists()


def test_the_report_of_rows(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert report(workloads=["1e3", "zipf 4096", "uniform 4096"]).returncode == 0
    figures, rows = page.read_text().split("<!-- end of figures -->\n")
    assert "zipf" not in figures
    assert rows.startswith("<!-- rows: written by bench/ -->\n## Rows\n")
    assert rows.endswith("\n<!-- end of rows -->\n")
    assert "Different rows of a step: zipf 4096: 1,000; uniform 4096: 1,000." in rows
    two_threads = rows.split("### 2 threads")[1].split("### 1 thread\n")[0]
    assert "| zipf 4096 | 10.0 µs (1.00x) | 12.0 µs (1.20x) | 24.0 µs (2.40x) |" in two_threads
    assert "| zipf 4096 | 100 Mrow/s, 128 GB/s | 83.3 Mrow/s, 107 GB/s | 41.7 Mrow/s, 53.3 GB/s |" in two_threads
    assert rows.count("A processor") == 0


def test_the_report_of_rows_alone(report: Report, tmp_path: Path) -> None:
    page, picture = tmp_path / "page.md", tmp_path / "page.png"
    page.write_text("<!-- figures: written by bench/ -->\nkept\n<!-- end of figures -->\n")
    assert report(workloads=["zipf 4096"]).returncode == 0
    text = page.read_text()
    assert text.startswith("<!-- figures: written by bench/ -->\nkept\n<!-- end of figures -->\n<!-- rows: ")
    assert text.count("A processor, 2 processors, ") == 1
    assert not picture.exists()
