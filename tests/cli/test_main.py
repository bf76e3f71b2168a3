"""The command line as a whole: help, mistakes, missing modules, Ctrl-C."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from helpers.command import COMMANDS, MODULE, OPTIONAL, Call, assert_one_line, printed
from numpy_adagrad.cli.main import parse

INTERRUPTED = Path(__file__).parents[1] / "programs" / "interrupted_demo.py"


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands_with_numpy_alone(call: Call, arguments: list[str]) -> None:
    output = printed(call(*arguments, without=OPTIONAL))
    assert output.startswith("usage: numpy-adagrad [-h] [--version] COMMAND ...\n")
    assert all(f"\n    {name}" in output for name in COMMANDS)


def test_the_version_needs_numpy_alone(call: Call) -> None:
    assert printed(call("--version", without=OPTIONAL)) == f"numpy-adagrad {version('numpy-adagrad')}\n"


@pytest.mark.parametrize(
    "arguments", [["info"], ["--help"], ["--version"], ["translate", "torch", "mindspore"], ["diff"]]
)
def test_a_reader_that_stops_reading_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*MODULE, *arguments], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=300, check=False
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 1)  # argparse itself ignores errors where output is not buffered


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
