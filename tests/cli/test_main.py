"""The command line as a whole: help, mistakes, missing modules, Ctrl-C."""

import sys
from pathlib import Path

import pytest
from helpers.command import COMMANDS, OPTIONAL, Call, assert_one_line, printed
from numpy_adagrad.cli.main import parse

INTERRUPTED = Path(__file__).parents[1] / "programs" / "interrupted_demo.py"


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands_with_numpy_alone(call: Call, arguments: list[str]) -> None:
    output = printed(call(*arguments, without=OPTIONAL))
    assert output.startswith("usage: numpy-adagrad [-h] COMMAND ...\n")
    assert all(f"\n    {name}" in output for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_needs_numpy_alone(call: Call, command: str) -> None:
    output = printed(call(command, "--help", without=OPTIONAL))
    assert output.startswith(f"usage: numpy-adagrad {command} [-h]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "argument COMMAND: invalid choice: 'bogus' (choose from "),
        (["--bogus"], "unrecognized arguments: --bogus\n"),
        (["info", "more"], "unrecognized arguments: more\n"),
        (["demo", "more"], "unrecognized arguments: more\n"),
        (["demo", "--epoch", "3"], "unrecognized arguments: --epoch 3\n"),
        (["diff", "lr=1", "--bogus", "eps=1"], "unrecognized arguments: --bogus eps=1\n"),
    ],
)
def test_mistakes_take_one_line(call: Call, arguments: list[str], message: str) -> None:
    assert_one_line(call(*arguments), 2, message)


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        ("demo", "rich", "demo"),
        ("demo", "matplotlib", "demo"),
        ("demo", "sklearn", "demo"),
        ("diff", "rich", "cli"),
        ("diff", "matplotlib", "cli"),
        ("bench", "rich", "cli"),
    ],
)
def test_a_command_names_the_extra_that_it_needs(call: Call, command: str, module: str, extra: str) -> None:
    message = f'module {module} is missing; install it with pip install "numpy-adagrad[{extra}]"\n'
    assert_one_line(call(command, without=[module]), 1, message)


def test_arguments_before_and_after_options() -> None:
    """One list of words, although argparse alone stops at the first option behind them."""
    orders = [
        ["torch", "lr=-1e-3", "eps=0", "--steps", "2", "--tolerance=0"],
        ["--steps", "2", "torch", "lr=-1e-3", "--tolerance=0", "eps=0"],
        ["torch", "--steps", "2", "lr=-1e-3", "--tolerance=0", "eps=0"],
    ]
    for order in orders:
        arguments = parse(["diff", *order])
        assert arguments.words == ["torch", "lr=-1e-3", "eps=0"]
        assert (arguments.steps, arguments.tolerance) == (2, 0)


def test_ctrl_c_ends_a_command_without_a_traceback(call: Call, tmp_path: Path) -> None:
    result = call(str(INTERRUPTED), command=[sys.executable])
    assert (result.returncode, result.stderr) == (130, "")
    assert not (tmp_path / "demo.png").exists()
