"""`numpy-adagrad demo`: the numbers that it prints, the plot, and that every rule learns."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.command import Call, printed
from helpers.examples import PNG
from numpy_adagrad.cli.demo_network import RATE, initial_params, loss_and_grads, make_optimizer
from numpy_adagrad.cli.demo_report import run
from numpy_adagrad.cli.plotting import COLORS, LABELS
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers import OPTIMIZERS


def summary(output: str) -> dict[str, list[float]]:
    """The rows of the table by optimizer, without units."""
    rows = re.findall(r"│ (\w+) +│ +([\d.]+)% │ +([\d.]+) │ +([\d.]+) ms │ +([\d.]+)% │", output)
    return {name: [float(number) for number in numbers] for name, *numbers in rows}


def test_every_rule_reaches_97_percent(call: Call, tmp_path: Path) -> None:
    output = printed(call("demo"))
    results = summary(output)
    assert list(results) == [optimizer.__name__ for optimizer in OPTIMIZERS.values()]
    for accuracy, _, milliseconds, in_step in results.values():
        assert accuracy >= 97
        assert milliseconds > 0
        assert 0 < in_step < 100
    (equal,) = re.findall(r"│ torch-fused +│ +[\d.]+ \S+ │ +(.*?) +│", output)
    assert equal == "every bit equal"
    (differing,) = re.findall(r"│ NumPy +│ +[\d.]+ \S+ │ +([\d,]+) of 9,610 differ +│", output)
    assert int(differing.replace(",", "")) > 0
    assert output.endswith("Plot written to demo.png\n")
    assert (tmp_path / "demo.png").read_bytes().startswith(PNG)


def test_a_torch_that_cannot_be_imported_is_left_out(call: Call, tmp_path: Path) -> None:
    output = printed(call("demo", "--epochs", "1", without=["torch"]))
    assert "NumPy" in output
    assert "torch-fused" not in output
    assert (tmp_path / "demo.png").read_bytes().startswith(PNG)


def test_the_backend_of_a_notebook(call: Call, tmp_path: Path) -> None:
    """Jupyter sets one that may be missing where the command is installed."""
    printed(call("demo", "--epochs", "1", MPLBACKEND="module://missing"))
    assert (tmp_path / "demo.png").read_bytes().startswith(PNG)


def test_piped_output_is_plain_text(call: Call, tmp_path: Path) -> None:
    output = printed(call("demo", "--epochs", "2", "--out", "short run.png"))
    assert "\x1b" not in output
    assert "\r" not in output
    assert output.count("2/2") == len(OPTIMIZERS)
    assert max(map(len, output.splitlines())) <= 80
    assert (tmp_path / "short run.png").read_bytes().startswith(PNG)
    assert not (tmp_path / "demo.png").exists()


def test_a_seed_fixes_the_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def losses(seed: int) -> dict[str, float]:
        run(epochs=2, out=tmp_path / "demo.png", seed=seed)
        return {name: numbers[1] for name, numbers in summary(capsys.readouterr().out).items()}

    first, again, other = losses(3), losses(3), losses(4)
    assert first == again
    assert all(first[name] != other[name] for name in first)


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_all_rules_train_with_the_same_rate(rule: str) -> None:
    optimizer = make_optimizer(rule, [np.ones((2, 2), np.float32)])
    assert type(optimizer) is OPTIMIZERS[rule]
    (group,) = optimizer.param_groups
    assert RATE in [value for name, value in group.items() if name != "params"]


def test_every_rule_has_a_color_and_a_label() -> None:
    for distinct in (COLORS, LABELS):
        assert list(distinct) == list(OPTIMIZERS)
        assert len(set(distinct.values())) == len(OPTIMIZERS)


def test_the_hand_written_gradients_are_right() -> None:
    rng = np.random.default_rng(0)
    params: list[Array] = [param.astype(np.float64) for param in initial_params(rng)]
    images: Array = rng.standard_normal((20, 64))
    labels = rng.integers(0, 10, 20)
    _, grads = loss_and_grads(params, images, labels)
    directions = [rng.standard_normal(param.shape) for param in params]

    def loss_at(distance: float) -> float:
        moved: list[Array] = [param + distance * direction for param, direction in zip(params, directions, strict=True)]
        return loss_and_grads(moved, images, labels)[0]

    slope = (loss_at(1e-6) - loss_at(-1e-6)) / 2e-6
    expected = sum(np.vdot(grad, direction) for grad, direction in zip(grads, directions, strict=True))
    assert slope == pytest.approx(expected, rel=1e-5)
