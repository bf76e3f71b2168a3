"""The examples look alike and are short, and the gallery shows them with their pictures."""

import ast
import re
from pathlib import Path

import pytest
from helpers.examples import EXAMPLES, PNG, names

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "examples.md"
PICTURES = ROOT / "docs" / "pictures" / "examples"
# The command for several processes stands in the docstring of those.
OF_ONE_PROCESS = [name for name in names() if not name.startswith("mpi_")]


def teaching_lines(source: str) -> int:
    """Count the lines without docstrings, comments, imports, and functions that plot."""
    lines = {i for i, line in enumerate(source.splitlines(), 1) if line.strip() and not line.strip().startswith("#")}
    for node in ast.walk(ast.parse(source)):
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_plot = isinstance(node, ast.FunctionDef) and node.name.startswith("plot")
        if isinstance(node, ast.stmt) and (is_import or is_text or is_plot):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


@pytest.mark.parametrize("name", names())
def test_an_example_is_short(name: str) -> None:
    assert 10 < teaching_lines((EXAMPLES / name).read_text()) <= 80


@pytest.mark.parametrize("name", OF_ONE_PROCESS)
def test_an_example_begins_with_a_sentence_and_two_commands(name: str) -> None:
    docstring = ast.get_docstring(ast.parse((EXAMPLES / name).read_text()))
    assert docstring is not None
    title, *text, commands = docstring.split("\n\n")
    assert re.fullmatch(r"\S.*\.", title)
    assert text != []
    install, command = commands.splitlines()
    assert re.match(r"    pip install (\.|\"\.\[[\w,]+\]\")( |$)", install)  # the package is on no index yet
    assert command == f"    python examples/{name}"


def test_every_example_is_on_the_page() -> None:
    assert sorted(re.findall(r"^#+ (\w+\.py)$", PAGE.read_text(), re.MULTILINE)) == names()


def test_every_picture_is_on_the_page_and_small() -> None:
    drawn = sorted(name.replace(".py", ".png") for name in names() if "savefig" in (EXAMPLES / name).read_text())
    pictures = sorted(path.name for path in PICTURES.iterdir())
    assert pictures == drawn != []
    assert sorted(re.findall(r"!\[.{20,}\]\(\.\./pictures/examples/(.*)\)", PAGE.read_text())) == pictures
    for picture in PICTURES.iterdir():
        assert picture.read_bytes().startswith(PNG)
        assert picture.stat().st_size < 60_000
