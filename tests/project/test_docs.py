"""The examples in docstrings, in the README and on the pages of the site are true."""

import doctest
import importlib
import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import numpy_adagrad
import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDE = [ROOT / "README.md", DOCS / "index.md", *sorted((DOCS / "guide").glob("*.md"))]
# These have files, commands and messages of clusters.
OF_CLUSTERS = [DOCS / "guide" / name for name in ("several-machines.md", "start-on-several-machines.md")]
PAGES = [*GUIDE, *sorted((DOCS / "reference").glob("*.md"))]
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
COMMAND = Path(sys.executable).with_name("numpy-adagrad")
MODULES = [
    info.name
    for info in pkgutil.walk_packages(numpy_adagrad.__path__, "numpy_adagrad.")
    if not info.name.endswith("__main__")
]


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(page.read_text()) if found == language]


def pages_with(language: str) -> pytest.MarkDecorator:
    pages = [page for page in PAGES if blocks(page, language)]
    return pytest.mark.parametrize("page", pages, ids=[page.relative_to(ROOT).as_posix() for page in pages])


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    """A module whose examples went missing would pass above."""
    public = [getattr(numpy_adagrad, name) for name in numpy_adagrad.__all__]
    documented: list[Any] = [thing for thing in public if not inspect.ismodule(thing)]
    for optimizer in (numpy_adagrad.TorchAdagrad, numpy_adagrad.MindSporeAdagrad):
        documented += [optimizer.state_dict, optimizer.add_param_group]
    documented += [numpy_adagrad.TorchAdagrad.step, numpy_adagrad.TorchAdagrad.save]
    documented += [getattr(numpy_adagrad.functional, name) for name in numpy_adagrad.functional.__all__]
    assert all(">>> " in thing.__doc__ for thing in documented)


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_every_block_has_a_language_that_is_checked(page: Path) -> None:
    """The tests below run blocks of pycon, python and console. Blocks of text are not code."""
    languages = {language for language, _ in FENCE.findall(page.read_text())}
    may_have_text = page not in GUIDE or page in OF_CLUSTERS
    assert languages <= {"pycon", "python", "console"} | ({"text"} if may_have_text else set())


@pages_with("pycon")
def test_sessions(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sessions of a page run one after another, as one."""
    monkeypatch.chdir(tmp_path)
    kept, inside = [], False
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            inside = line == "```pycon"
        kept.append(line if inside and not line.startswith("```") else "")
    session = doctest.DocTestParser().get_doctest("\n".join(kept), {}, page.name, str(page), 0)
    assert len(session.examples) > 2
    assert doctest.DocTestRunner().run(session).failed == 0


@pages_with("python")
def test_programs(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each program prints the comments that stand behind its prints."""
    for program in blocks(page, "python"):
        exec(program, {})
        comments = re.findall(r"^print\(.*  # (.*)$", program, re.MULTILINE)
        assert len(comments) > 0
        assert capsys.readouterr().out.splitlines() == comments


@pages_with("console")
def test_commands(page: Path, tmp_path: Path) -> None:
    """A command prints the output below it. Without output, its words are at least valid."""
    for block in blocks(page, "console"):
        for session in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = session.partition("\n")
            program, *words = [word for word in shlex.split(command) if not word.startswith("NUMPY_ADAGRAD_ISA=")]
            if program == "pip":
                assert words[0] == "install"
                assert set(re.findall(r"[\w]+", "".join(re.findall(r"\[(.*)\]", words[-1])))) <= extras()
            elif program == "python":
                assert (ROOT / words[0]).is_file()
            elif program == "numpy-adagrad":
                assert command_output([*words, *([] if output else ["--help"])], tmp_path).startswith(output)
            else:
                assert command == "pytest"


def extras() -> set[str]:
    return set(metadata("numpy-adagrad").get_all("Provides-Extra") or [])


def command_output(words: list[str], folder: Path) -> str:
    run = subprocess.run([COMMAND, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout
