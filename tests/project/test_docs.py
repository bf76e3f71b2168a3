"""The examples in docstrings and in the README are true."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy_adagrad
import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    info.name
    for info in pkgutil.walk_packages(numpy_adagrad.__path__, "numpy_adagrad.")
    if not info.name.endswith("__main__")
]


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


def test_readme(capsys: pytest.CaptureFixture[str]) -> None:
    """Each program prints what the comment behind its print says."""
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(programs) == 2
    for program in programs:
        exec(program, {})
        (said,) = re.findall(r"^print\(.*  # (.*)$", program, re.MULTILINE)
        assert capsys.readouterr().out == f"{said}\n"
