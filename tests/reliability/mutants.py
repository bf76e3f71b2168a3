"""Change a C++ file in one place after the other, and run pytest on each changed core. Which changes go unnoticed?

Every operator, condition and constant is changed in turn. Works on a copy of the last commit, with baseline kernels,
in which the file is compiled apart and nothing is optimised: that is faster. Prints each change that passed all tests,
and how many a test noticed or did not compile. A change that makes the tests take ten times as long is noticed.

`python tests/reliability/mutants.py FILE PYTEST_ARGUMENTS`
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPERATORS = {
    "==": "!=", "!=": "==", "<": "<=", ">": ">=", "<=": "<", ">=": ">", "&&": "||", "||": "&&", "+": "-", "-": "+",
    "*": "/", "/": "*", "%": "*", "|": "&", "&": "|", "+=": "-=", "-=": "+=", "|=": "=",
}  # fmt: skip
# Operators stand between spaces: clang-format sees to that.
CHANGES = [(rf"(?<= ){re.escape(operator)}(?= )", other) for operator, other in OPERATORS.items()]
CHANGES += [
    (r"(?<=[(\s,])!(?=[a-z])", ""), (r"(?<=[(\s,])-(?=[a-z])", ""), (r"\+\+", "--"),
    (r"\bif \((.*)\)(?= \w|$| \{)", r"if (!(\1))"), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"(?<![\w.])0(?![\w.])", "1"), (r"(?<![\w.])([1-9]\d*)(?![\w.])", r"(\1 + 1)"),
    (r"\b(\d+\.\d+)\b", r"(\1 + 1)"), (r"\b1e-", "3e-"), (r"\bstd::min\b", "std::max"), (r"\bstd::max\b", "std::min"),
]  # fmt: skip
NOT_CODE = re.compile(r'\s*(//|#|using |template |concept |static_assert)|.*"')


def mutants(text: str) -> Iterator[tuple[int, str]]:
    """The number of a line, and what the line becomes."""
    for number, line in enumerate(text.splitlines()):
        code, slashes, comment = line.partition("//")
        if NOT_CODE.match(line):
            continue
        for pattern, replacement in CHANGES:
            for found in re.finditer(pattern, code):
                changed = code[: found.start()] + found.expand(replacement) + code[found.end() :]
                yield number, changed + slashes + comment


def passes(command: list[str], folder: Path, seconds: float, **environment: str) -> bool:
    variables = {**os.environ, **environment}
    try:
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=False, timeout=seconds)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False


def outcome(tree: Path, pytest_arguments: list[str], seconds: float) -> str:
    if not passes(["cmake", "--build", "../build"], tree, 1200):
        return "does not compile"
    for module in (tree.parent / "build").glob("_core*.so"):
        shutil.copy(module, tree.parent / "site" / "numpy_adagrad")
    pytest = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *pytest_arguments]
    return "not noticed" if passes(pytest, tree, seconds, PYTHONPATH=str(tree.parent / "site")) else "noticed"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("pytest_arguments", nargs="+")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree)], cwd=ROOT, check=True)
        try:
            try_all(tree, args)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


def try_all(tree: Path, args: argparse.Namespace) -> None:
    with (tree / "CMakeLists.txt").open("a") as cmake:
        cmake.write(f"set_source_files_properties({args.file} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)\n")
        cmake.write("set_source_files_properties(cpp/kernels/kernels.cpp PROPERTIES COMPILE_OPTIONS -O0)\n")
        cmake.write("target_precompile_headers(_core PRIVATE <pybind11/pybind11.h>)\n")
    options = ["build-dir=../build", "cmake.build-type=Debug", "cmake.define.CMAKE_CXX_FLAGS_DEBUG=-O0"]
    options += ["cmake.define.KERNELS=baseline"]
    build = ["--no-deps", "--no-build-isolation", "--target", "../site"]
    build += [word for option in options for word in ("-C", option)]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *build, "."], cwd=tree, check=True)
    start = time.monotonic()
    assert outcome(tree, args.pytest_arguments, 3600) == "not noticed", "the tests fail on the core as it is"
    limit = 10 * (time.monotonic() - start)
    source = tree / args.file
    text = source.read_text()
    counts: Counter[str] = Counter()
    for number, changed in mutants(text):
        lines = text.splitlines()
        before, lines[number] = lines[number], changed
        source.write_text("\n".join(lines) + "\n")
        found = outcome(tree, args.pytest_arguments, limit)
        counts[found] += 1
        if found == "not noticed":
            print(f"{args.file}:{number + 1}: {before.strip()}\n    {changed.strip()}", flush=True)
    print(f"{args.file}: {counts.total()} changes: {dict(counts)}")


if __name__ == "__main__":
    main()
