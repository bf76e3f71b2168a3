"""Arguments of the commands: pasted `name=value` words, numbers in a range, paths of plots."""

import errno
import os
import re
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pytest
from numpy_adagrad.cli import arguments
from numpy_adagrad.cli.arguments import UsageError, in_range, plot_path, read_arguments
from numpy_adagrad.cli.main import main, parse


def test_read_arguments() -> None:
    words = ["lr=0.05", "a =  [1, 'x=y']", "b=-1e-3", "c=None"]
    assert read_arguments(words) == {"lr": 0.05, "a": [1, "x=y"], "b": -1e-3, "c": None}
    assert read_arguments([]) == {}


FORM = "arguments: expected name=value, got {!r}"
LITERAL = "{}: expected a number or another Python literal, got {!r}"
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


@pytest.mark.parametrize(
    ("kind", "limits", "text", "value"),
    [
        (int, (1,), "1", 1),
        (int, (0, 9), "9", 9),
        (float, (0,), "1e-3", 1e-3),
        (float, (0,), "inf", float("inf")),
    ],
)
def test_numbers_in_a_range(kind: Any, limits: Any, text: str, value: float) -> None:
    number = in_range(kind, *limits)(text)
    assert number == value
    assert type(number) is kind


@pytest.mark.parametrize(
    ("kind", "limits", "text", "message"),
    [
        (int, (1,), "0", "expected an integer of at least 1, got '0'"),
        (int, (1,), "many", "expected an integer of at least 1, got 'many'"),
        (int, (1,), "1.5", "expected an integer of at least 1, got '1.5'"),
        (int, (0, 9), "-1", "expected an integer from 0 to 9, got '-1'"),
        (int, (0, 9), "10", "expected an integer from 0 to 9, got '10'"),
        (float, (0,), "-1e-3", "expected a number of at least 0, got '-1e-3'"),
        (float, (0,), "nan", "expected a number of at least 0, got 'nan'"),
        (float, (0,), "", "expected a number of at least 0, got ''"),
    ],
)
def test_numbers_out_of_range(kind: Any, limits: Any, text: str, message: str) -> None:
    with pytest.raises(ArgumentTypeError) as caught:
        in_range(kind, *limits)(text)
    assert str(caught.value) == message


def test_the_path_of_a_plot(tmp_path: Path) -> None:
    (tmp_path / "taken.png").touch()
    for name in ("taken.png", "new.png"):
        assert plot_path(str(tmp_path / name)) == tmp_path / name
    assert plot_path("plot.png") == Path("plot.png")


LONG = "a" * 252 + ".png"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plot.jpeg", "expected a name ending in .png, such as plot.png, got 'plot.jpeg'"),
        ("", "expected a name ending in .png, such as plot.png, got ''"),
        (".png", "expected a name ending in .png, such as plot.png, got '.png'"),
        (LONG, f"cannot write {LONG}: File name too long"),
        ("absent/plot.png", "there is no folder absent"),
        ("folder.png", "expected a file, got the folder folder.png"),
    ],
)
def test_a_path_where_no_plot_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    with pytest.raises(ArgumentTypeError) as caught:
        plot_path(name)
    assert str(caught.value) == message


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOENT])
def test_a_folder_where_nothing_can_be_written(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(dir: Path) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(arguments, "TemporaryFile", fail)
    for command in ("diff", "demo"):
        with pytest.raises(UsageError) as caught:
            parse([command])
        assert str(caught.value) == f"argument --out: cannot write {command}.png: {os.strerror(code)}"


def test_no_plot_replaces_a_fifo(tmp_path: Path) -> None:
    path = tmp_path / "fifo.png"
    os.mkfifo(path)
    with pytest.raises(ArgumentTypeError, match=f"^expected a regular file or a new name, got {path}$"):
        plot_path(str(path))


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--epochs", "0"],
        ["demo", "--seed", "-1"],
        ["demo", "--seed", "4294967296"],
        ["demo", "--out", "demo.jpeg"],
        ["bench", "--rounds", "0"],
        ["bench", "--rounds", "99999999999999999999"],
        ["diff", "--steps", "0"],
        ["diff", "--size", "0"],
        ["diff", "--size", "5000000000000000000"],
        ["diff", "--seed", "-1"],
        ["diff", "--tolerance", "nan"],
        ["diff", "--tolerance=-1e-3"],
        ["diff", "--out", "absent/diff.png"],
    ],
    ids=" ".join,
)
def test_options_check_their_values(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    option = arguments[1].partition("=")[0]
    assert out == ""
    assert re.fullmatch(rf"numpy-adagrad: argument {option}: (expected|there is) .*\n", err)
