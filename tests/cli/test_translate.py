"""`numpy-adagrad translate`: it prints a program that creates the translated optimizer, and the notes."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from helpers import mindspore_arrays
from helpers.command import Call, printed
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate
from numpy_adagrad.cli.arguments import read_arguments
from numpy_adagrad.cli.main import main
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
def test_the_printed_program_and_notes(
    call: Call, monkeypatch: pytest.MonkeyPatch, source: str, target: str, words: list[str]
) -> None:
    """The program calls with the arguments of `translate`, and the framework accepts them."""
    output = printed(call("translate", source, target, *words, without=["rich", "matplotlib"], COLUMNS="2000"))
    translation = translate(source, target, **read_arguments(words))
    notes = "".join(f"\n{note.argument} ({note.kind})\n    {note.text}\n" for note in translation.notes)
    assert output.endswith(notes)
    source = output.removesuffix(notes).removesuffix("\n")
    assert source == program(target, translation)
    assert written(source, monkeypatch) == expected(translation.arguments)
    assert type(made_by(source)) is {"torch": torch.optim.Adagrad, "mindspore": nn.Adagrad}[target]


def test_notes_are_as_wide_as_the_terminal(call: Call) -> None:
    wide, narrow = (printed(call("translate", "torch", "mindspore", COLUMNS=width)) for width in ("2000", "60"))
    notes = narrow[narrow.index("\n\nlr (") :]
    assert re.sub(r"(?<!\))\n    ", " ", notes) == wide[wide.index("\n\nlr (") :]
    assert 50 < max(map(len, notes.splitlines())) <= 60


@pytest.mark.parametrize("width", ["1", "4", "5"])
def test_notes_on_a_terminal_of_few_columns(call: Call, width: str) -> None:
    words = printed(call("translate", "torch", "mindspore", COLUMNS=width)).split()
    assert words == printed(call("translate", "torch", "mindspore")).split()


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["torch"], "the following arguments are required: target\n"),
        (["torch", "jax"], "target: expected 'mindspore' or 'torch', got 'jax'\n"),
        (["torch", "torch"], "target: expected a framework other than the source, got 'torch' twice\n"),
        (["torch", "mindspore", "lr"], "arguments: expected name=value, got 'lr'\n"),
        (["torch", "mindspore", "accum=0.1"], "arguments: expected those of TorchAdagrad ("),
        (["torch", "mindspore", "lr=-1"], "Invalid learning rate: -1\n"),
        (["torch", "mindspore", "state_dtype='foo'"], "state_dtype: expected a dtype, got 'foo'\n"),
        (["torch", "mindspore", "allocate=5"], "allocate: expected a callable, got int\n"),
        (["torch", "mindspore", "foreach=True", "fused=True"], "`fused` and `foreach` cannot be `True`"),
    ],
)
def test_mistakes_take_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["translate", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"numpy-adagrad: .*\n", err)
    assert message in err
