"""Run the examples about other libraries, and check their output and pictures."""

import re
from pathlib import Path

import pytest
from helpers.examples import PNG, run

WRONG_RATE = Path(__file__).parents[1] / "programs" / "wrong_rate.py"


def differing_bits(output: str) -> dict[str, int]:
    pattern = r"^numpy-adagrad and +(\w.*): largest difference .*, +([\d,]+) bits differ$"
    found = re.findall(pattern, output, re.MULTILINE)
    return {name: int(count.replace(",", "")) for name, count in found}


def test_no_bit_differs_between_the_frameworks_and_ours(tmp_path: Path) -> None:
    output = run(tmp_path, "two_frameworks.py")
    bits = differing_bits(output)
    assert len(bits) == 6
    assert bits["torch fused, with its gradients"] == bits["MindSpore, with its gradients"] == 0
    distance, *others = (float(found) for found in re.findall(r"largest difference +(\S+),", output))
    assert 0.01 < distance < 1
    assert max(others) < 1e-4
    assert (tmp_path / "two_frameworks.png").read_bytes().startswith(PNG)


def test_a_differing_bit_sets_the_exit_status(tmp_path: Path) -> None:
    bits = differing_bits(run(tmp_path, WRONG_RATE, "two_frameworks.py", status=1))
    assert bits["torch fused, with its gradients"] > 0
    assert bits["MindSpore, with its gradients"] == 0


def test_a_run_switches_and_returns_without_a_differing_bit(tmp_path: Path) -> None:
    output = run(tmp_path, "switch_framework.py")
    losses = {
        name: [float(loss) for loss in values.split(", ")]
        for name, values in re.findall(r"^(\w.*): loss (.*)$", output, re.MULTILINE)
    }
    assert len(losses) == 5
    assert losses["torch, NumPy, torch"] == losses["torch"]
    assert losses["MindSpore, NumPy, MindSpore"] == losses["MindSpore"]
    assert output.count("the final parameters have the same bits\n") == 2
    for first, *others, last in losses.values():
        assert first > max(others) > min(others) > last
    (distance,) = re.findall(r"largest distance from torch alone: (\S+)", output)
    assert 0 < float(distance) < 1e-3
    for kind in ("exact", "no counterpart", "approximated"):
        assert f", {kind}: " in output


def test_no_loss_differs_between_the_drop_in_and_torch(tmp_path: Path) -> None:
    output = run(tmp_path, "torch_dropin.py")
    found = re.findall(r"^(\w+): loss (\S+) to (\S+) in (\d+) steps, (\d+) losses differ$", output, re.MULTILINE)
    assert [(name, steps, differing) for name, _, _, steps, differing in found] == [
        ("digits", "210", "0"),
        ("ratings", "200", "0"),
    ]
    for _, first, last, *_ in found:
        assert float(last) < float(first) / 5
    assert len(re.findall(r"^  all steps took \d+ ms, torch's \d+ ms$", output, re.MULTILINE)) == 2


def test_a_differing_loss_sets_the_exit_status(tmp_path: Path) -> None:
    output = run(tmp_path, WRONG_RATE, "torch_dropin.py", status=1)
    assert [int(count) > 0 for count in re.findall(r"(\d+) losses differ", output)] == [True, True]


def test_gradients_of_four_sources_give_the_same_loss(tmp_path: Path) -> None:
    output = run(tmp_path, "gradient_sources.py")
    losses = re.findall(r"^gradients .*\b(hand|autograd|JAX|torch): loss (\S+)$", output, re.MULTILINE)
    assert [name for name, _ in losses] == ["hand", "autograd", "JAX", "torch"]
    by_hand, *others = (float(loss) for _, loss in losses)
    assert 0 < by_hand < 0.3  # log(10) before training
    assert others == pytest.approx([by_hand] * 3, rel=1e-3)


def test_gradients_from_jax_train_a_network_in_place(tmp_path: Path) -> None:
    output = run(tmp_path, "jax_gradients.py")
    assert output.startswith("9,930 parameters in 6 arrays, 6 of which JAX reads in place\n")
    losses = [float(loss) for loss in re.findall(r"^epoch +\d+: loss (\S+)$", output, re.MULTILINE)]
    assert len(losses) == 10
    assert losses[0] > 10 * losses[-1]
    (before, initial_accuracy), (after, accuracy) = re.findall(r"training loss (\S+), test accuracy (\S+)%", output)
    assert float(before) > 2 > 0.05 > float(after)
    assert float(initial_accuracy) < 30
    assert float(accuracy) > 95
    share = re.search(r"^[\d.]+ s, ([\d.]+)% of it in opt.step$", output, re.MULTILINE)
    assert share is not None
    assert 0 < float(share[1]) < 50
