"""docs/api.md shows all that is public; the tests that other pages name are there."""

import inspect
import re
from pathlib import Path

import numpy_adagrad
import pytest

ROOT = Path(__file__).parents[2]
API, DIFFERENCES, FIDELITY = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("api", "differences", "fidelity"))
PUBLIC = [name for name in numpy_adagrad.__all__ if not inspect.ismodule(getattr(numpy_adagrad, name))]
PUBLIC += [f"functional.{name}" for name in numpy_adagrad.functional.__all__]
CLASSES = list(filter(inspect.isclass, (getattr(numpy_adagrad, name) for name in numpy_adagrad.__all__)))


def test_every_public_name_has_its_line() -> None:
    lines = [line.removeprefix("::: numpy_adagrad.") for line in API.splitlines() if line.startswith(":::")]
    assert sorted(lines) == sorted(PUBLIC)


@pytest.mark.parametrize("owner", CLASSES)
def test_every_public_member_has_a_docstring(owner: type) -> None:
    """The page leaves out what has none."""
    members = {name: getattr(owner, name) for name in dir(owner) if not name.startswith("_")}
    shown = [name for name, member in members.items() if callable(member) or isinstance(member, property)]
    assert shown != []
    assert [name for name in shown if not members[name].__doc__] == []


def test_every_test_that_is_named_exists() -> None:
    _, table = DIFFERENCES.split("`test_*.py` |\n|---|---|---|---|---|\n")
    cells = [line.split(" | ")[-1].removesuffix(" |") for line in table.split("\n\n")[0].splitlines()]
    names = {f"test_{name}.py" for cell in cells for name in cell.split(", ")}
    assert len(names) > 5
    present = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert sorted(names - present) == []
    paths = set(re.findall(r"`(tests/[\w/]+\.py)`", DIFFERENCES + FIDELITY))
    assert [path for path in sorted(paths) if not (ROOT / path).is_file()] == []
