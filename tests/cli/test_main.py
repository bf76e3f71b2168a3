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
    "arguments",
    [["info"], ["--help"], ["--version"], ["translate", "torch", "mindspore"], ["diff"], ["demo", "--epochs", "1"]],
)
def test_a_reader_that_stops_reading_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*MODULE, *arguments], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=300, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.stem for path in tmp_path.glob("*.png")] == [name for name in ("diff", "demo") if name in arguments]


@pytest.mark.parametrize(
    ("closed", "arguments", "status"),
    [
        (1, ["info"], 0),
        (1, ["--help"], 0),
        (1, ["translate", "torch", "mindspore"], 0),
        (1, ["diff", "--steps", "2"], 0),
        (1, ["bogus"], 2),
        (2, ["info"], 0),
        (2, ["bogus"], 2),
    ],
    ids=str,
)
def test_a_closed_stream_gets_nothing_and_the_other_what_it_always_gets(
    call: Call, closed: int, arguments: list[str], status: int
) -> None:
    usual = call(*arguments)
    done = call(*arguments, command=["sh", "-c", f'exec "$@" {closed}>&-', "sh", *MODULE])
    assert (usual.returncode, done.returncode) == (status, status)
    assert done.stdout == ("" if closed == 1 else usual.stdout)
    assert done.stderr == ("" if closed == 2 else usual.stderr)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argument", ["info", "--help", "--version"])
def test_output_that_the_system_does_not_take_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str, unbuffered: str
) -> None:
    """As on a full disk: no file may grow here."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    limited = ["prlimit", "--fsize=0", *MODULE, argument]
    with (tmp_path / "output").open("wb") as output:
        done = subprocess.run(limited, stdout=output, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (2, "numpy-adagrad: output: File too large\n")


def test_an_error_that_the_system_does_not_take_is_the_exit_status(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors:
        limited = ["prlimit", "--fsize=0", *MODULE, "bogus"]
        done = subprocess.run(limited, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_letter_that_the_encoding_lacks_is_replaced(call: Call) -> None:
    output = printed(call("demo", "--epochs", "1", PYTHONUTF8="0", PYTHONIOENCODING="ascii"))
    assert "?s |" in output


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
