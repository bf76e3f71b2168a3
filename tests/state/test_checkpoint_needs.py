"""What checkpoints need that may not be installed, and pickle, which they never use."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.interpreters import output
from helpers.values import bfloat16
from numpy_adagrad import TorchAdagrad

WITHOUT = """
import sys, numpy as np, numpy_adagrad
sys.modules[NAME] = None
w = np.ones(3)
optimizer = numpy_adagrad.RULE([w])
try:
    optimizer.CALL
except ImportError as error:
    print(error)
"""


def without(name: str, rule: str, call: str) -> str:
    printed: str = output(WITHOUT.replace("NAME", repr(name)).replace("RULE", rule).replace("CALL", call))
    return printed.strip()


@pytest.mark.parametrize("rule", ["TorchAdagrad", "MindSporeAdagrad"])
@pytest.mark.parametrize("call", ["save", "load"])
def test_without_safetensors(rule: str, call: str) -> None:
    expected = f'{call}: expected safetensors to be installed, as by pip install "numpy-adagrad[checkpoint]"'
    assert without("safetensors", rule, f"{call}('x')") == expected


def test_without_what_a_file_needs(tmp_path: Path) -> None:
    path, ckpt = tmp_path / "a", tmp_path / "a.ckpt"
    ckpt.write_bytes(b"")
    TorchAdagrad([np.ones(3, bfloat16)]).save(path)
    expected = 'load: expected ml_dtypes to be installed for bfloat16, as by pip install "numpy-adagrad[bf16]"'
    assert without("ml_dtypes", "TorchAdagrad", f"load({str(path)!r})") == expected
    expected = "load: expected mindspore to be installed, which reads its own .ckpt files"
    assert without("mindspore", "MindSporeAdagrad", f"load({str(ckpt)!r})") == expected


def test_no_pickle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is pickled or unpickled; NumPy imports the module for its own files."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("pickle was used")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    optimizer = TorchAdagrad({"w": np.ones(3)})
    optimizer.save(tmp_path / "a", parameters=True)
    optimizer.load(tmp_path / "a", parameters=True)
    for name in ("checkpoint.content", "checkpoint.safetensors_file"):
        assert "pickle" not in vars(sys.modules[f"numpy_adagrad.{name}"])
