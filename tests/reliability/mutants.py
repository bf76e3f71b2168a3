"""Change a C++ file in one place after the other, and run pytest with each changed core. Which changes go unnoticed?

One core has all changes, of which the environment variable ADAGRAD_MUTANT chooses one by its number; those that such a
core cannot have, as of a constexpr, are built one by one. Each runs in a fork of a process that has already imported
the large libraries. The core has baseline kernels and is optimised little: that is built faster. Prints each
change that passed all tests, and how many a test noticed or did not compile. A change with which the tests take three
times as long, and ten seconds, is noticed.

`PYTHONPATH=tests python tests/reliability/mutants.py FILE PYTEST_ARGUMENTS`
"""

import argparse
import importlib
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from reliability.changes import Change, changes, combined, line, without_comments

ROOT = Path(__file__).parents[2]
SOURCES = ("CMakeLists.txt", "LICENSE", "README.md", "cpp", "licenses", "pyproject.toml", "python")
DECLARATION = "extern const int adagrad_mutant;\n#line 1\n"
DEFINITION = """
#include <cstdlib>
extern const int adagrad_mutant = std::getenv("ADAGRAD_MUTANT") ? std::atoi(std::getenv("ADAGRAD_MUTANT")) : 0;
"""
CMAKE = """
set_source_files_properties({file} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
set_source_files_properties(cpp/kernels/kernels.cpp PROPERTIES COMPILE_OPTIONS -O1)
target_precompile_headers(_core PRIVATE <pybind11/pybind11.h>)
"""
# They ask for kernels that are not built.
OTHER_KERNELS = ("tests/rules/test_same_bits.py", "tests/runtime/test_instruction_sets.py")
LARGE = ("jax", "mindspore", "torch", "scipy.sparse", "pytest")


class Build:
    """The package, copied into a folder, with one C++ file that is written again and again."""

    def __init__(self, folder: Path, file: str) -> None:
        self.site, self.folder, tree = folder / "site", folder / "build", folder / "tree"
        tree.mkdir()
        for name in SOURCES:
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tree / name)
        self.file = tree / file
        with (tree / "CMakeLists.txt").open("a") as cmake:
            cmake.write(CMAKE.format(file=file))
        with (tree / "cpp" / "engine" / "fp_env.cpp").open("a") as definition:
            definition.write(DEFINITION)
        options = [f"build-dir={self.folder}", "cmake.build-type=Debug", "cmake.define.CMAKE_CXX_FLAGS_DEBUG=-O1"]
        options += ["cmake.define.KERNELS=baseline"]
        build = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(self.site)]
        build += [word for option in options for word in ("-C", option)]
        subprocess.run([sys.executable, "-m", "pip", "install", *build, "."], cwd=tree, check=True)

    def errors(self, text: str) -> str:
        """Build a core with this text as the file. Returns what the compiler said if it is wrong."""
        self.file.write_text(DECLARATION + text)
        done = subprocess.run(["cmake", "--build", self.folder], capture_output=True, text=True, check=False)
        for module in self.folder.glob("_core*.so"):
            shutil.copy(module, self.site / "numpy_adagrad")
        return done.stdout + done.stderr if done.returncode else ""


def together(build: Build, source: str, found: dict[int, Change]) -> dict[int, Change]:
    """Build a core with all changes but those on lines that do not compile so. Returns the changes in it."""
    kept = dict(found)
    while errors := build.errors(combined(source, kept)):
        wrong = {int(number) for number in re.findall(rf"{build.file.name}:(\d+):\d+: error", errors)}
        left = {number: change for number, change in kept.items() if line(source, change.start) not in wrong}
        assert len(left) < len(kept), errors
        kept = left
    return kept


def run(number: int, site: Path, arguments: list[str]) -> None:
    """Run pytest in this process, whose exit code tells whether all tests passed."""
    os.setpgid(0, 0)
    os.environ |= {"ADAGRAD_MUTANT": str(number), "PYTHONPATH": str(site), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    sys.path.insert(0, str(site))
    with (site / "output").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    import pytest

    ignored = [f"--ignore={name}" for name in OTHER_KERNELS]
    os._exit(int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *ignored, *arguments])))


def passes(number: int, site: Path, arguments: list[str], seconds: float) -> bool:
    process = multiprocessing.get_context("fork").Process(target=run, args=(number, site, arguments))
    process.start()
    assert process.pid is not None
    process.join(seconds)
    with suppress(ProcessLookupError):  # its children too
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == 0


def try_all(build: Build, file: str, arguments: list[str]) -> None:
    source = without_comments((ROOT / file).read_text())
    found = dict(enumerate(changes(source), 1))
    kept = together(build, source, found)
    start = time.monotonic()
    assert passes(0, build.site, arguments, 3600), (build.site / "output").read_text()
    limit = 3 * (time.monotonic() - start) + 10
    counts: Counter[str] = Counter()
    for number in [*kept, *(found.keys() - kept.keys())]:
        change = found[number]
        if number not in kept and build.errors(change.made(source)):
            counts["not compiled"] += 1
        elif passes(number, build.site, arguments, limit):
            counts["not noticed"] += 1
            at = line(source, change.start)
            before, after = (text.splitlines()[at - 1].strip() for text in (source, change.made(source)))
            print(f"{file}:{at}: {before}\n    {after}", flush=True)
        else:
            counts["noticed"] += 1
    print(f"{file}: {len(found)} changes, {len(found) - len(kept)} of them built alone: {dict(counts)}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("pytest_arguments", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    for name in LARGE:
        with suppress(ImportError):
            importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        try_all(Build(Path(folder), args.file), args.file, args.pytest_arguments)


if __name__ == "__main__":
    main()
