"""docs/api.md shows all that is public."""

import inspect
from pathlib import Path

import numpy_adagrad
import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "api.md").read_text()
PUBLIC = [name for name in numpy_adagrad.__all__ if not inspect.ismodule(getattr(numpy_adagrad, name))]
PUBLIC += [f"functional.{name}" for name in numpy_adagrad.functional.__all__]
CLASSES = [thing for thing in vars(numpy_adagrad).values() if inspect.isclass(thing)]


def test_every_public_name_has_its_line() -> None:
    lines = [line.removeprefix("::: numpy_adagrad.") for line in PAGE.splitlines() if line.startswith(":::")]
    assert sorted(lines) == sorted(PUBLIC)


@pytest.mark.parametrize("owner", CLASSES)
def test_every_public_member_has_a_docstring(owner: type) -> None:
    """The page leaves out what has none."""
    members = {name: getattr(owner, name) for name in dir(owner) if not name.startswith("_")}
    shown = [name for name, member in members.items() if callable(member) or isinstance(member, property)]
    assert shown != []
    assert [name for name in shown if not members[name].__doc__] == []
