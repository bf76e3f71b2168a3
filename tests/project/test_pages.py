"""The reference shows all that is public, and the files that pages name exist."""

import inspect
import re
import runpy
from pathlib import Path
from pkgutil import resolve_name

import numpy_adagrad
import numpy_adagrad.mpi
import pytest

ROOT = Path(__file__).parents[2]
INTERNALS = ROOT / "docs" / "internals"
DOCS = ROOT / "docs"
REFERENCE = {page.name: page.read_text() for page in (DOCS / "reference").glob("*.md")}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
MODULES = [numpy_adagrad.functional, numpy_adagrad.schedules, numpy_adagrad.mpi]
PUBLIC = [getattr(numpy_adagrad, name) for name in numpy_adagrad.__all__]
PUBLIC = [thing for thing in PUBLIC if not inspect.ismodule(thing)]
PUBLIC += [getattr(module, name) for module in MODULES for name in module.__all__]
CLASSES = list(filter(inspect.isclass, (getattr(numpy_adagrad, name) for name in numpy_adagrad.__all__)))
each_page = pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])


def test_every_public_object_is_in_the_reference_once() -> None:
    text = "\n".join(REFERENCE.values())
    names = re.findall(r"^\.\. auto(?:class|function):: (.*)$", text, re.MULTILINE)
    assert len(set(names)) == len(names)
    shown = [resolve_name(name) for name in names]
    assert [thing for thing in PUBLIC if shown.count(thing) != 1] == []


@pytest.mark.parametrize("owner", CLASSES)
def test_every_public_member_has_a_docstring(owner: type) -> None:
    """The reference leaves out members without one."""
    members = {name: getattr(owner, name) for name in dir(owner) if not name.startswith("_")}
    shown = [name for name, member in members.items() if callable(member) or isinstance(member, property)]
    assert shown != []
    assert [name for name in shown if not members[name].__doc__] == []


@each_page
def test_every_link_leads_to_a_file(page: Path) -> None:
    """Links within the README, which Sphinx does not read, and within the site."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))]
    assert [link for link in links if not (page.parent / link.split("#")[0]).is_file()] == []


@each_page
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    paths = re.findall(r"`((?:bench|cpp|docs|examples|python|tests)/[\w/.-]*)`", page.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_test_in_the_table_of_differences_exists() -> None:
    _, table = REFERENCE["differences.md"].split("`test_*.py` |\n|---|---|---|---|---|\n")
    cells = [line.split(" | ")[-1].removesuffix(" |") for line in table.split("\n\n")[0].splitlines()]
    names = {f"test_{name}.py" for cell in cells for name in cell.split(", ")}
    assert len(names) > 5
    present = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert sorted(names - present) == []


def test_the_walk_through_a_step_is_true() -> None:
    """Its figure finds each function that it shows, and the page quotes the rule as it stands."""
    runpy.run_path(str(INTERNALS / "draw_step.py"))["draw"]()
    (quoted,) = re.findall(r"```cpp\n(.*?)```", (INTERNALS / "a-walk-through-one-step.md").read_text(), re.DOTALL)
    header = {line.strip() for line in (ROOT / "cpp" / "rules" / "torch.hpp").read_text().splitlines()}
    assert {line.strip() for line in quoted.splitlines()} <= header
