"""The recipe of docs/internals/adding-a-rule.md, followed literally: the new rules are built, and pass their tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "internals" / "adding-a-rule.md").read_text()
BLOCKS = re.findall(r'^```(\w+) title="(.+?)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
SOURCES = ("CMakeLists.txt", "LICENSE", "README.md", "cpp", "docs", "licenses", "pyproject.toml", "python", "tests")


def apply(kind: str, path: Path, block: str) -> None:
    """Write a new file, or change one as a diff says: its old lines stand there exactly once."""
    if kind != "diff":
        assert not path.exists()
        path.write_text(block)
        return
    lines = block.splitlines()
    old = "\n".join(line[1:] for line in lines if line[0] != "+")
    new = "\n".join(line[1:] for line in lines if line[0] != "-")
    text = path.read_text()
    assert text.count(old) == 1, f"{path}: {old}"
    path.write_text(text.replace(old, new))


def test_the_page_has_the_files_that_it_promises() -> None:
    """A header, the list, an optimizer and a test for each rule, and nothing else."""
    files = [path for kind, path, _ in BLOCKS if kind != "diff"]
    assert files == [
        "cpp/rules/keras.hpp",
        "python/numpy_adagrad/optimizers/keras.py",
        "tests/rules/test_keras_parity.py",
        "cpp/rules/row_wise.hpp",
        "python/numpy_adagrad/optimizers/row_wise.py",
        "tests/rules/test_row_wise.py",
    ]
    assert {path for kind, path, _ in BLOCKS if kind == "diff"} == {"cpp/rules/catalogue.hpp"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree with the rules of the page, built and installed into its folder `row_wise`.

    The tests of all rules run with `keras`, the same without the rule that takes sparse gradients only. The kernels are
    the baseline ones: to compile all would take three times as long, and show nothing of the recipe.
    """
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    for kind, path, block in BLOCKS:
        apply(kind, tree / path, block)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-C", "cmake.define.KERNELS=baseline", "--target", tree / "row_wise", tree], check=True)
    shutil.copytree(tree / "row_wise", tree / "keras", ignore=shutil.ignore_patterns("row_wise.py"))
    return tree


@pytest.mark.parametrize(
    ("rule", "paths"),
    {
        "parity": ("keras", ["tests/rules/test_keras_parity.py"]),
        "common": ("keras", ["tests/arrays", "tests/optimizer", "tests/state", "tests/rules/test_same_bits.py"]),
        "examples": ("keras", ["tests/project/test_docs.py"]),
        "row_wise": ("row_wise", ["tests/rules/test_row_wise.py"]),
    }.values(),
)
def test_the_new_rule_passes(tree: Path, rule: str, paths: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(tree / rule)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", rule, *paths]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) >= 1
