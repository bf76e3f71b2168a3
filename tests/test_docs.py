"""The examples in docstrings and in the README are true."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy_adagrad
import pytest

ROOT = Path(__file__).parent.parent
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
    documented: list[Any] = [numpy_adagrad.TorchAdagrad, numpy_adagrad.MindSporeAdagrad, numpy_adagrad.show_config]
    documented += [numpy_adagrad.translate]
    documented += [optimizer.state_dict for optimizer in documented[:2]]
    documented += [optimizer.add_param_group for optimizer in documented[:2]]
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
