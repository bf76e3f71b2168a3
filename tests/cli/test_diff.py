"""`numpy-adagrad diff`: the report, the plot, and the errors."""

import errno
import inspect
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command import Call, assert_one_line, printed
from helpers.examples import PNG
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.cli import diff_report
from numpy_adagrad.cli.diff_plot import draw, draw_distances
from numpy_adagrad.cli.main import main
from numpy_adagrad.migration.distance import Distance
from numpy_adagrad.migration.divergence import settings


@pytest.fixture
def diff(call: Call) -> Call:
    return partial(call, "diff")


def rows(output: str) -> list[list[str]]:
    """The table's lines, cell by cell."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if line.startswith("│")]


def test_defaults(diff: Call, tmp_path: Path) -> None:
    output = printed(diff())
    assert ["lr=0.01", "learning_rate=0.001", "defaults differ"] in rows(output)
    assert ["initial_accumulator_value=0", "accum=0.1", "defaults differ"] in rows(output)
    assert ["eps=1e-10", "", "approximated"] in rows(output)
    assert "lr: Each rule runs with its own default.\n" in output
    assert "300 steps of 1,000 elements in float32" in output
    assert re.search(r"They first differ by more than 1e-06 at step 1: w\[\d+\], by 0\.01\.\n", output)
    end = re.search(r"They end (\S+) apart, at w\[\d+\]; the median is (\S+)\.\n", output)
    assert end is not None
    assert 0.02 < float(end[1]) < 0.2
    assert 0 < float(end[2]) < float(end[1])
    assert output.endswith("Plot written to diff.png\n")
    assert (tmp_path / "diff.png").read_bytes().startswith(PNG)
    assert "\x1b" not in output
    assert "\r" not in output


def test_the_table_holds_every_argument(diff: Call) -> None:
    torch, mindspore, _ = zip(*rows(printed(diff("--steps", "1"))), strict=True)
    for column, rule in ((torch, TorchAdagrad), (mindspore, MindSporeAdagrad)):
        stated = [cell.partition("=")[0] for cell in column if cell]
        assert sorted(stated) == sorted(set(inspect.signature(rule).parameters) - {"params", "unknown"})


def test_translated_from_torch(diff: Call, tmp_path: Path) -> None:
    arguments = ["lr=0.5", "lr_decay=0.01", "maximize=True", "initial_accumulator_value=0.1"]
    options = ["--steps", "20", "--size", "50", "--seed", "2", "--tolerance", "1e-4", "--out", "two rules.png"]
    output = printed(diff("torch", *arguments, *options))
    # A long value takes two lines.
    assert "learning_rate=DecayedRate(lr=0.5,lr_decay=0.01)" in "".join(row[1].replace(" ", "") for row in rows(output))
    assert ["maximize=True", "", "no counterpart"] in rows(output)
    assert "maximize: Give each step the negated gradients.\n" in output
    assert "MindSpore's rule got the gradients negated.\n" in output
    assert "20 steps of 50 elements" in output
    assert "They never differ by more than 0.0001.\n" in output
    assert (tmp_path / "two rules.png").read_bytes().startswith(PNG)
    assert printed(diff(*arguments, *options)) == output


def test_translated_from_mindspore(diff: Call) -> None:
    output = printed(diff("mindspore", "loss_scale=1024", "accum=0.5", "--tolerance", "1e-4"))
    assert ["initial_accumulator_value=0.5", "accum=0.5", "exact"] in rows(output)
    assert ["lr=0.001", "learning_rate=0.001", "defaults differ"] in rows(output)
    assert ["", "loss_scale=1024", "no counterpart"] in rows(output)
    assert "Both got the gradients times 1024; torch's rule divided by it, as grad_scale.\n" in output
    assert "They never differ by more than 0.0001.\n" in output


def test_two_rules_in_the_other_order(diff: Call) -> None:
    output = printed(diff("mindspore", "torch", "loss_scale=1024", "accum=0.5", "--tolerance", "1e-4"))
    assert ["accum=0.5", "initial_accumulator_value=0.5", "exact"] in rows(output)
    assert "torch's rule divided by it, as grad_scale.\n" in output
    assert "They never differ by more than 0.0001.\n" in output


def test_a_source_alone_is_translated_with_its_defaults(diff: Call) -> None:
    assert ["initial_accumulator_value=0.1", "accum=0.1", "defaults differ"] in rows(printed(diff("mindspore")))


def test_gradients_from_a_file(diff: Call, tmp_path: Path) -> None:
    """Only the third step has a gradient. It changes torch's parameter by lr, MindSpore's by nearly as much."""
    W = np.zeros((4, 2, 3), np.float32)
    W[2, 1, 2] = 1e-3
    np.savez(tmp_path / "own.npz", W=W, b=np.zeros(4, np.float32))
    output = printed(diff("lr=0.5", "--grads", "own.npz"))
    assert "4 steps of 7 elements" in output
    assert "They first differ by more than 1e-06 at step 3: W[1, 2], by 0.00248.\n" in output
    assert "They end 0.00248 apart, at W[1, 2]; the median is 0.\n" in output


def test_names_in_a_file_of_gradients(diff: Call, tmp_path: Path) -> None:
    """A terminal obeys control characters; the font of the plot has few letters."""
    names = {"\x1b[31mW": "'\\x1b[31mW'", "\N{CJK UNIFIED IDEOGRAPH-6743}": "\N{CJK UNIFIED IDEOGRAPH-6743}"}
    for name, printed_name in names.items():
        arrays: dict[str, Any] = {name: np.full((2, 1), 1e-3, np.float32)}
        np.savez(tmp_path / "own.npz", **arrays)
        done = diff("lr=0.5", "--grads", "own.npz", PYTHONUTF8="1")
        assert f" {printed_name}[0], by " in printed(done)
        assert done.stderr == ""


def test_rules_that_never_differ(diff: Call) -> None:
    output = printed(diff("lr=0", "--tolerance", "0"))
    assert "They never differ by more than 0.\nThey end at the same values.\n" in output


def test_a_terminal_without_a_width(diff: Call) -> None:
    """rich printed nothing."""
    assert printed(diff("--steps", "3", COLUMNS="0")) == printed(diff("--steps", "3"))


def test_elements_that_are_not_finite_are_not_called_equal(diff: Call, tmp_path: Path) -> None:
    lines = printed(diff("torch", "lr=1e300", "--steps", "3", "--size", "4")).splitlines()
    assert lines[-2] == "4 of 4 elements are not finite, from step 1."
    np.savez(tmp_path / "own.npz", W=np.array([[0, 0], [0, np.nan]], np.float32))
    output = printed(diff("lr=0.5", "--grads", "own.npz"))
    assert "1 of 2 elements are not finite, from step 2.\n" in output
    assert "The others never differ by more than 1e-06.\nThe others end at the same values.\n" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keras"], "source: expected 'mindspore' or 'torch', got 'keras'"),
        (["torch", "fast"], "arguments: expected name=value, got 'fast'"),
        (["lr=fast"], "lr: expected a number"),
        (["lr=-1"], "Invalid learning rate: -1"),
        (["mindspore", "lr=1"], "arguments: expected those of MindSporeAdagrad ("),
        (["foreach=True"], "foreach: expected None or False, as the path is the fused one, got True"),
        (["fused=True", "differentiable=True"], "`fused` does not support `differentiable`"),
        (["--size", "99999999999999"], "argument --size: expected no more elements than memory holds"),
        (["state_dtype='foo'"], "state_dtype: expected a dtype, got 'foo'"),
        (["mindspore", "accum=1e39"], "accum: expected a number within float32, got 1e+39"),
        (
            ["mindspore", "learning_rate=[[1],[1,2]]"],
            "learning_rate[0]: expected a number or a 1-element array, got list",
        ),
        (["mindspore", "loss_scale=1e300"], "loss_scale: expected a positive number within float32, got 1e+300"),
        (["mindspore", "learning_rate=[0.1]"], "learning_rate: expected a rate for each of 300 steps, got 1"),
        (["--grads", "absent.npz"], "absent.npz: No such file or directory"),
        (["--grads", "empty.npz"], "empty.npz: expected an .npz file, got another or a damaged one"),
    ],
)
def test_mistakes_take_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """In this process, because a process for each takes long."""
    monkeypatch.chdir(tmp_path)
    Path("empty.npz").touch()
    assert main(["diff", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"numpy-adagrad: .*\n", err)
    assert message in err
    assert not list(tmp_path.glob("*.png"))


def test_a_mistake_is_the_exit_status(diff: Call) -> None:
    assert_one_line(diff("lr=-1"), 2, "numpy-adagrad: Invalid learning rate: -1\n")


@pytest.mark.parametrize("words", [["diff", "--steps", "2", "--size", "3"], ["demo", "--epochs", "1"]], ids=str)
def test_a_plot_that_cannot_be_written_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when the disk fills up while the command runs."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Figure, "savefig", fail)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert err == f"numpy-adagrad: cannot write {words[0]}.png: No space left on device\n"
    assert "Plot written" not in out


@pytest.mark.parametrize("option", ["--steps", "--size", "--seed"])
def test_a_file_of_gradients_allows_no_random_ones(capsys: pytest.CaptureFixture[str], option: str) -> None:
    """Not even with the default values."""
    default = {"--steps": "300", "--size": "1000", "--seed": "1"}[option]
    assert main(["diff", option, default, "--grads", "absent.npz"]) == 2
    message = f"numpy-adagrad: argument {option}: expected none beside --grads, which brings its own\n"
    assert capsys.readouterr() == ("", message)


def test_a_long_run_shows_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In a terminal, some while after it began."""
    chosen = settings(("torch", "mindspore"), "torch", None)
    compute = partial(diff_report.compute, chosen, None, steps=30, size=300_000, seed=1)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    quiet = compute()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(diff_report, "LONG", 9_000_000)
    shown = compute()
    assert "Distances" in capsys.readouterr().out
    assert shown.distances == quiet.distances
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    compute()
    assert capsys.readouterr().out == ""


# The picture


def distances_drawn(distances: list[Distance], tolerance: float) -> tuple[Axes, dict[str, list[float]]]:
    axes = Figure().subplots()
    draw_distances(axes, distances, tolerance)
    heights = {str(line.get_label()): [float(y) for y in np.atleast_1d(line.get_ydata())] for line in axes.lines}
    return axes, heights


def tick_labels(axes: Axes) -> dict[str, float]:
    return {text.get_text(): tick for tick, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)}


def test_zeros_and_infinities_are_seen() -> None:
    distances = [Distance(0, 0, 0), Distance(2e-6, 0, 0), Distance(np.inf, 3e-7, 0)]
    axes, heights = distances_drawn(distances, tolerance=1e-6)
    bottom, top = axes.get_ylim()
    drawn = [height for line in heights.values() for height in line]
    assert all(bottom < height < top for height in drawn)
    labels = tick_labels(axes)
    assert bottom < labels["exactly 0"] < 1e-7
    assert 1e-5 < labels["infinite"] < top
    assert heights["largest"][1:2] == [2e-6]
    assert heights["median"][2:] == [3e-7]
    assert heights["median"][0] < labels["exactly 0"] < heights["largest"][0] < 3e-7
    assert heights["largest"][2] == pytest.approx(labels["infinite"])
    assert heights["tolerance 1e-06"] == [1e-6, 1e-6]
    assert heights["first exceeded at step 2"] == [2e-6]


def test_zeros_of_one_line_are_level_with_their_label() -> None:
    axes, heights = distances_drawn([Distance(2e-6, 0, 0), Distance(2e-6, 3e-7, 0)], tolerance=1e-6)
    assert heights["median"] == pytest.approx([tick_labels(axes)["exactly 0"], 3e-7])


def test_without_zeros_there_is_no_band() -> None:
    axes, heights = distances_drawn([Distance(0.5, 0.25, 0)], tolerance=1)
    assert not {"exactly 0", "infinite"} & set(tick_labels(axes))
    assert list(heights) == ["largest", "median", "tolerance 1"]


@pytest.mark.parametrize("tolerance", [0, 1e-300, 1e300, np.inf])
@pytest.mark.parametrize("value", [0, 1e-45, 1, 6e38, np.inf])
def test_any_distance_can_be_drawn(tmp_path: Path, value: float, tolerance: float) -> None:
    trajectories = {"torch": np.array([0, np.nan], np.float32), "mindspore": np.array([0, np.inf], np.float32)}
    draw(trajectories, "$layers.0" * 20, [Distance(value, 0, 0)], tolerance, tmp_path / "any.png")
    assert (tmp_path / "any.png").read_bytes().startswith(PNG)
