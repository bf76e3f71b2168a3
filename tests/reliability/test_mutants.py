"""mutants.py finds what no test notices. A small library stands in for the core."""

import ctypes
import subprocess
from pathlib import Path

from helpers.interpreters import TESTS, program
from reliability.changes import Change, changes, combined, line, without_comments

LEAST = TESTS / "programs" / "least.cpp"
SOURCE = without_comments(LEAST.read_text())
NUMBERS = [[], [4], [7], [5, 7], [0, 3], [9, -3, 5], [100, 2], [99, 6]]


def results(folder: Path, name: str, text: str) -> list[int]:
    """What a library of this text computes."""
    (folder / f"{name}.cpp").write_text(text)
    command = ["c++", "-std=c++17", "-shared", "-fPIC", "-o", f"{name}.so", f"{name}.cpp"]
    subprocess.run(command, cwd=folder, check=True)
    least = ctypes.CDLL(str(folder / f"{name}.so")).least
    return [least((ctypes.c_int * len(numbers))(*numbers), len(numbers)) for numbers in NUMBERS]


def can_be_tried(change: Change) -> bool:
    """Whether it is in no constexpr, the loop ends, and it reads no number too many."""
    return line(SOURCE, change.start) > 2 and change.text not in ("--", "<=", ">=")


def test_a_change_by_number_is_that_change_alone(tmp_path: Path) -> None:
    found = {number: change for number, change in enumerate(changes(SOURCE), 1) if can_be_tried(change)}
    assert len(found) > 10
    together = combined(SOURCE, found)
    for number, change in found.items():
        chosen = f"constexpr int adagrad_mutant = {number};\n{together}"
        assert results(tmp_path, f"number{number}", chosen) == results(tmp_path, f"alone{number}", change.made(SOURCE))


def test_a_fault_that_a_test_overlooks(tmp_path: Path) -> None:
    """The test has no 0; the last two change nothing. With another one, the loop does not end."""
    lines = program("small_mutants", tmp_path, LEAST, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1").splitlines()
    assert [after.strip() for after in lines[1:-1:2]] == [
        "if (numbers[i] <= 0) continue;",
        "if (numbers[i] < 1) continue;",
        "if (numbers[i] <= result && numbers[i] != 7)",
        "else if (numbers[i] == 7 && result >= 5)",
    ]
    assert lines[-1] == f"{LEAST}: 21 changes, 1 of them built alone: {{'noticed': 17, 'not noticed': 4}}"
