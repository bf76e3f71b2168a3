"""The examples in docstrings, in the README and on the pages of the site are true."""

import doctest
import importlib
import inspect
import io
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import numpy_adagrad
import pytest
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDERS = ("tutorial", "guide", "explanation", "reference")
PAGES = [
    ROOT / "README.md",
    DOCS / "index.md",
    *(page for name in FOLDERS for page in sorted((DOCS / name).glob("*.md"))),
]
CHECKED = {"pycon", "python", "console"}
OF_CLUSTERS = [DOCS / "guide" / name for name in ("several-machines.md", "start-on-several-machines.md")]
WITH_TEXT = [*OF_CLUSTERS, *sorted((DOCS / "reference").glob("*.md"))]
"""Pages that also show files and commands of clusters, and signatures."""
COMMAND = Path(sys.executable).with_name("numpy-adagrad")
MODULES = [
    info.name
    for info in pkgutil.walk_packages(numpy_adagrad.__path__, "numpy_adagrad.")
    if not info.name.endswith("__main__")
]
each_page = pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])


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


@each_page
def test_every_block_has_a_language_that_is_checked(page: Path) -> None:
    """The next test runs blocks of pycon, python and console. Blocks of text are not code, `{...}` is Sphinx's."""
    opening = re.findall(r"^ *```(.*)\n(?:.*\n)*? *```$", page.read_text(), re.MULTILINE)
    languages = {language for language in opening if not language.startswith("{")}
    assert languages <= CHECKED | ({"text"} if page in WITH_TEXT else set())


@each_page
def test_code_of_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page run in one folder, in their order."""
    monkeypatch.chdir(tmp_path)
    sessions = PythonCodeBlockParser()
    sessions.codeblock_parser = CodeBlockParser("pycon", lambda example: "expected a prompt")
    parsers = sessions, CodeBlockParser("python", run_program), CodeBlockParser("console", run_commands)
    examples = list(Document.parse(str(page), *parsers))
    assert len(examples) >= len(re.findall(r"^ *```(?:pycon|python|console)$", page.read_text(), re.MULTILINE))
    for example in examples:
        example.evaluate()


def run_program(example: Example) -> str | None:
    """Run a block that is a whole program. It prints the comments that stand behind its prints."""
    expected = re.findall(r"^print\(.*  # (.*)$", example.parsed, re.MULTILINE)
    with redirect_stdout(io.StringIO()) as output:
        exec(example.parsed, {})
    printed = output.getvalue().splitlines()
    return None if expected and printed == expected else f"expected {expected}, got {printed}"


def run_commands(example: Example) -> str | None:
    """Run our command and compare the output shown below it. .ci/readme runs pip, test_examples.py the programs.

    In the reference, a command without output may name files that do not exist: only its words are checked.
    """
    only_words = Path(example.path).parent.name == "reference"
    for session in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = session.partition("\n")
        words = shlex.split(command)
        variables = [words.pop(0) for _ in range(words[0].startswith("NUMPY_ADAGRAD_ISA="))]
        program, *arguments = words
        if program == "pip":
            assert arguments[0] == "install"
            assert set(re.findall(r"[\w]+", "".join(re.findall(r"\[(.*)\]", arguments[-1])))) <= extras()
        elif program == "python":
            assert (ROOT / arguments[0]).is_file()
        elif program == "numpy-adagrad":
            if only_words and not expected:
                arguments.append("--help")
            output = command_output(arguments, dict(variable.split("=") for variable in variables))
            if not output.startswith(expected):
                return f"{command}: expected {expected}, got {output}"
        else:
            assert command == "pytest"
    return None


def extras() -> set[str]:
    return set(metadata("numpy-adagrad").get_all("Provides-Extra") or [])


def command_output(arguments: list[str], variables: dict[str, str]) -> str:
    environment = os.environ | variables
    run = subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout
