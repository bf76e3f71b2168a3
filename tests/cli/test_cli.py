"""The command line, run as users run it."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from numpy_adagrad import show_config

Call: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

SCRIPT = [str(Path(sysconfig.get_path("scripts"), "numpy-adagrad"))]
MODULE = [sys.executable, "-m", "numpy_adagrad"]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command in an empty folder, with the named modules as if not installed."""

    def run(command: list[str], *, without: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        hidden = tmp_path / "hidden"
        hidden.mkdir()
        for name in without:
            (hidden / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module', name={name!r})")
        monkeypatch.setenv("PYTHONPATH", str(hidden))
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return run


def assert_one_line(result: subprocess.CompletedProcess[str], status: int, *expected: str) -> None:
    assert result.returncode == status
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("numpy-adagrad: ")
    for text in expected:
        assert text in result.stderr


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
@pytest.mark.parametrize("without", [(), ("typer",)], ids=["with typer", "without typer"])
def test_info_says_what_show_config_says(
    call: Call, monkeypatch: pytest.MonkeyPatch, command: list[str], without: Sequence[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # MindSpore, once imported here, leaves a number of its own
    result = call([*command, "info"], without=without)
    assert result.stderr == ""
    assert result.returncode == 0
    said = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert said == {key: str(value) for key, value in {**show_config(), "threads": 3}.items()}


@pytest.mark.parametrize("arguments", [[], ["demo"], ["--help"], ["bogus"]])
def test_other_commands_without_typer_name_the_extra(call: Call, arguments: list[str]) -> None:
    result = call([*MODULE, *arguments], without=["typer"])
    assert_one_line(result, 1, "typer", 'pip install "numpy-adagrad[cli]"')


@pytest.mark.parametrize("module", ["sklearn", "rich", "matplotlib"])
def test_demo_names_the_module_that_it_misses(call: Call, module: str) -> None:
    result = call([*MODULE, "demo"], without=[module])
    assert_one_line(result, 1, f"module {module} ", 'pip install "numpy-adagrad[demo]"')


def test_translate_names_the_module_that_it_misses(call: Call) -> None:
    result = call([*MODULE, "translate", "torch", "mindspore"], without=["rich"])
    assert_one_line(result, 1, "module rich ", 'pip install "numpy-adagrad[cli]"')


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands(call: Call, arguments: list[str]) -> None:
    result = call([*MODULE, *arguments])
    assert result.returncode == 0
    for word in ("Usage", "numpy-adagrad", "demo", "translate", "info"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["bogus"], "bogus"),
        (["--bogus"], "--bogus"),
        (["info", "more"], "more"),
        (["demo", "more"], "more"),
        (["translate", "torch"], "Missing argument 'target'."),
        (["translate", "torch", "jax"], "target: expected 'torch' or 'mindspore', got 'jax'"),
        (["translate", "torch", "mindspore", "lr"], "arguments: expected name=value, got 'lr'"),
        (["translate", "torch", "mindspore", "accum=0.1"], "arguments: expected those of torch ("),
        (["translate", "torch", "mindspore", "lr=-1"], "Invalid learning rate: -1"),
        (["translate", "torch", "mindspore", "foreach=True", "fused=True"], "`fused` and `foreach` cannot be `True`"),
        (["demo", "--epochs", "0"], "--epochs"),
        (["demo", "--epochs", "many"], "--epochs"),
        (["demo", "--seed", "-1"], "--seed"),
        (["demo", "--out", "demo.jpeg"], "'--out': expected a name ending in .png, got demo.jpeg"),
        (["demo", "--out", "absent/demo.png"], "'--out': there is no folder absent"),
    ],
)
def test_wrong_arguments_take_one_line(call: Call, arguments: list[str], expected: str) -> None:
    assert_one_line(call([*MODULE, *arguments]), 2, expected)
