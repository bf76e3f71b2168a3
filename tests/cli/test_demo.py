"""The demo: what it prints, what it draws, and that both rules learn."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy_adagrad.cli.demo_report import initial_params, loss_and_grads, run
from numpy_adagrad.inputs.types import Array

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run the demo with its output piped and no display."""
    monkeypatch.setenv("PYTHONUTF8", "1")
    for name in ("DISPLAY", "COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> str:
        command = [sys.executable, "-m", "numpy_adagrad", "demo", *arguments]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
        assert result.stderr == ""
        assert result.returncode == 0
        return result.stdout

    return call


def summary(output: str) -> dict[str, list[float]]:
    """The rows of the table by rule, percent signs removed."""
    rows = re.findall(r"(torch|MindSpore) +│ +([\d.]+)% │ +([\d.]+) │ +([\d.]+) │ +([\d.]+)% │", output)
    return {rule: [float(number) for number in numbers] for rule, *numbers in rows}


def test_both_rules_reach_97_percent(demo: Callable[..., str], tmp_path: Path) -> None:
    output = demo()
    results = summary(output)
    assert list(results) == ["torch", "MindSpore"]
    for accuracy, _, seconds, share in results.values():
        assert accuracy >= 97
        assert seconds > 0
        assert 0 < share < 100
    assert output.endswith("Drawn in demo.png\n")
    assert (tmp_path / "demo.png").read_bytes().startswith(PNG)


def test_piped_output_is_plain_text(demo: Callable[..., str], tmp_path: Path) -> None:
    output = demo("--epochs", "2", "--out", "short run.png")
    assert "\x1b" not in output
    assert "\r" not in output
    assert output.count("2/2") == 2
    assert max(map(len, output.splitlines())) <= 80
    assert (tmp_path / "short run.png").read_bytes().startswith(PNG)
    assert not (tmp_path / "demo.png").exists()


def test_a_seed_fixes_the_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def losses(seed: int) -> dict[str, float]:
        run(epochs=2, out=tmp_path / "demo.png", seed=seed)
        return {rule: numbers[1] for rule, numbers in summary(capsys.readouterr().out).items()}

    first, again, other = losses(3), losses(3), losses(4)
    assert first == again
    assert all(first[rule] != other[rule] for rule in ("torch", "MindSpore"))


def test_the_hand_written_gradients_are_right() -> None:
    rng = np.random.default_rng(0)
    params: list[Array] = [param.astype(np.float64) for param in initial_params(rng)]
    images: Array = rng.standard_normal((20, 64))
    labels = rng.integers(0, 10, 20)
    _, grads = loss_and_grads(params, images, labels)
    directions = [rng.standard_normal(param.shape) for param in params]

    def loss_at(distance: float) -> float:
        moved: list[Array] = [param + distance * towards for param, towards in zip(params, directions, strict=True)]
        return loss_and_grads(moved, images, labels)[0]

    slope = (loss_at(1e-6) - loss_at(-1e-6)) / 2e-6
    expected = sum(np.vdot(grad, towards) for grad, towards in zip(grads, directions, strict=True))
    assert slope == pytest.approx(expected, rel=1e-5)
