"""`numpy-adagrad translate`: what it prints can be run, and makes the optimizer that `translate` means."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from helpers import mindspore_arrays
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate
from numpy_adagrad.cli.arguments import read_arguments
from numpy_adagrad.cli.translate_report import program

STEPS = 10_000  # of the line that the program leads with

FROM_TORCH = [
    [],
    ["lr=0.05", "lr_decay=1e-3"],
    ["lr=1", "weight_decay=0.1", "initial_accumulator_value=0.5", "eps=1e-3", "maximize=True", "fused=True"],
]
FROM_MINDSPORE = [
    [],
    ["learning_rate=[0.3, 0.1]", "weight_decay=1e-4"],
    ["accum=0.0", "learning_rate=0.05", "update_slots=False", "loss_scale=1024.0"],
]


def run(*arguments: str) -> Any:
    """Run the command as in a terminal so wide that no line is broken."""
    command = [sys.executable, "-m", "numpy_adagrad", "translate", *arguments]
    environment = {**os.environ, "COLUMNS": "2000"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def made_by(source: str) -> Any:
    """The optimizer that a program makes."""
    params = [mindspore_arrays.parameter("w", np.zeros(3, np.float32))] if "nn.Adagrad" in source else [torch.zeros(3)]
    if "numpy_adagrad" in source:
        params = [np.zeros(3, np.float32)]
    scope: dict[str, Any] = {"params": params}
    exec(source, scope)
    return scope["optimizer"]


def written(source: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments with which a program calls a framework's optimizer."""

    def record(params: Any, **arguments: Any) -> dict[str, Any]:
        return arguments

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim, "Adagrad", record)
        patch.setattr(nn, "Adagrad", record)
        arguments = made_by(source)
    assert isinstance(arguments, dict)
    return arguments


def expected(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What `translate` returns, with the rates as the frameworks take them."""
    result = dict(arguments)
    if callable(result.get("learning_rate")):
        result["learning_rate"] = result["learning_rate"].first(STEPS)
    if callable(result.get("lr")):
        result["lr"] = float(str(np.float32(result["lr"](0))))  # written with as few digits as tell it in float32
    return result


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        *(("torch", "mindspore", words) for words in FROM_TORCH),
        *(("mindspore", "torch", words) for words in FROM_MINDSPORE),
    ],
)
def test_what_is_printed(monkeypatch: pytest.MonkeyPatch, source: str, target: str, words: list[str]) -> None:
    """A program and a row for each note. It calls with the arguments of `translate`, and the framework takes them."""
    result = run(source, target, *words)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    printed, notes = result.stdout.split("\n\n┏", 1)
    translation = translate(source, target, **read_arguments(words))
    assert printed == program(target, translation)
    assert written(printed, monkeypatch) == expected(translation.arguments)
    assert type(made_by(printed)) is {"torch": torch.optim.Adagrad, "mindspore": nn.Adagrad}[target]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in notes.splitlines() if line.startswith("│")]
    assert rows == [[note.argument, note.kind, note.text] for note in translation.notes]


def test_program_for_mindspore() -> None:
    assert program("mindspore", translate("torch", "mindspore", lr=0.05, lr_decay=1e-3)) == (
        "from mindspore import nn\n\n"
        "steps = 10_000  # of the whole training: MindSpore takes one rate for each\n"
        "optimizer = nn.Adagrad(params, accum=0.0, learning_rate=[0.05 / (1 + step * 0.001) for step in range(steps)])"
    )


def test_program_for_torch() -> None:
    """Uncommented, the last lines set each rate in turn."""
    source = program("torch", translate("mindspore", "torch", learning_rate=[0.3, 0.1]))
    assert source == (
        "import torch\n\n"
        "rates = [0.3, 0.1]\n"
        "optimizer = torch.optim.Adagrad(params, lr=rates[0], initial_accumulator_value=0.1, eps=1.58e-08)\n\n"
        "# Before each step (0 first):\n"
        "#     for group in optimizer.param_groups:\n"
        '#         group["lr"] = rates[step]'
    )
    loop = [line[2:] for line in source.splitlines() if line.startswith("#  ")]
    optimizer = made_by(source)
    exec("\n".join(["if True:", *loop]), {"optimizer": optimizer, "rates": [0.3, 0.1], "step": 1})
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_programs_for_ours() -> None:
    """Options of this package make the program one for it, where rates are functions."""
    words = ["lr=0.5", "lr_decay=1.0", "state_dtype='float32'"]
    source = program("mindspore", translate("torch", "mindspore", **read_arguments(words)))
    assert source.startswith("from numpy_adagrad import MindSporeAdagrad\n")
    optimizer = made_by(source)
    assert type(optimizer) is MindSporeAdagrad
    assert [optimizer.param_groups[0]["lr"](step) for step in range(2)] == [0.5, 0.25]

    words = ["learning_rate=[0.5, 0.25]", "state_dtype='float32'"]
    source = program("torch", translate("mindspore", "torch", **read_arguments(words)))
    assert source.startswith("from numpy_adagrad import TorchAdagrad\n")
    optimizer = made_by(source)
    assert type(optimizer) is TorchAdagrad
    assert [optimizer.param_groups[0]["lr"](step) for step in range(2)] == [0.5, 0.25]


def test_read_arguments() -> None:
    words = ["lr=0.05", "a =  [1, 'x=y']", "b=-1e-3", "c=None"]
    assert read_arguments(words) == {"lr": 0.05, "a": [1, "x=y"], "b": -1e-3, "c": None}
    assert read_arguments([]) == {}


FORM = "arguments: expected name=value, got {!r}"
LITERAL = "{}: expected a number or another Python literal, got {}"
BAD_WORDS = [
    (["lr"], FORM.format("lr")),
    (["=1"], FORM.format("=1")),
    (["l r=1"], FORM.format("l r=1")),
    ([""], FORM.format("")),
    (["lr="], LITERAL.format("lr", "")),
    (["lr=fast"], LITERAL.format("lr", "fast")),
    (["lr=1+"], LITERAL.format("lr", "1+")),
    (["lr=__import__('os')"], LITERAL.format("lr", "__import__('os')")),
    (["lr={[]: 1}"], LITERAL.format("lr", "{[]: 1}")),
    (["lr=" + "(" * 1000], LITERAL.format("lr", "(" * 1000)),
    (["lr=1", "eps=0", "lr=2"], "lr: expected one value, got a second: 2"),
]


@pytest.mark.parametrize(("words", "message"), BAD_WORDS, ids=range(len(BAD_WORDS)))
def test_bad_words(words: list[str], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        read_arguments(words)
    assert str(caught.value) == message
