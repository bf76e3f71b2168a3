"""Print the test files that need no framework: what sanitizers, a free-threaded Python and the like run.

A file counts with all that it imports and the programs that it starts.

`python tests/reliability/without_frameworks.py [FOLDER ...]`
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
FRAMEWORKS = {"dask", "fbgemm_gpu", "jax", "mindspore", "mpi4py", "numba", "optax", "torch"}
# These build the package or the site, or measure.
OTHERS = {"benchmark", "cli", "project", "mpi"}


def local_file(module: str) -> Path | None:
    """A module of the tests themselves."""
    path = TESTS.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


def named_modules(node: ast.AST) -> Iterator[str]:
    """The modules that an import names, and the program that a call of `program` starts."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("program", "script"):
        yield from (f"programs.{name.value!s}" for name in node.args[:1] if isinstance(name, ast.Constant))


@cache
def needs_framework(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        for module in named_modules(node):
            if module.split(".")[0] in FRAMEWORKS or module == "numpy_adagrad.torch":
                return True
            file = local_file(module)
            if file is not None and needs_framework(file):
                return True
    return False


if __name__ == "__main__":
    folders = [TESTS / name for name in sys.argv[1:]] or [
        path for path in sorted(TESTS.iterdir()) if path.is_dir() and path.name not in OTHERS
    ]
    for folder in folders:
        for path in sorted(folder.rglob("test_*.py")):
            if not needs_framework(path):
                print(path)
