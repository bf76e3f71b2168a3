"""Run reliability/mutants.py with a small library in place of the core, and a test that overlooks 0."""

import subprocess
import sys
from pathlib import Path

from reliability.mutants import DECLARATION, DEFINITION, Build, try_all

TEST = """
import ctypes, os

def test_least():
    library = ctypes.CDLL(os.path.join(os.environ["PYTHONPATH"], "least.so"))
    def least(*numbers):
        return library.least((ctypes.c_int * len(numbers))(*numbers), len(numbers))
    assert [least(), least(4), least(7), least(4, 7), least(6, 7), least(9, -3, 5)] == [100, 4, 5, 4, 5, 5]
"""


class Library(Build):
    def __init__(self, folder: Path, file: Path) -> None:
        self.site, self.file = folder, folder / file.name

    def errors(self, text: str) -> str:
        self.file.write_text(DECLARATION + text + DEFINITION)
        (self.site / "least.so").unlink(missing_ok=True)
        command = ["c++", "-std=c++17", "-shared", "-fPIC", "-o", "least.so", self.file.name]
        return subprocess.run(command, cwd=self.site, capture_output=True, text=True, check=False).stderr


folder, source = map(Path, sys.argv[1:])
(folder / "test_least.py").write_text(TEST)
try_all(Library(folder, source), str(source), [f"--rootdir={folder}", "-c", "/dev/null", str(folder)])
