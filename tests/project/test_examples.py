"""Run the examples and check their output and plots."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TWO_FRAMEWORKS = EXAMPLES / "two_frameworks.py"
WRONG_RATE = Path(__file__).parents[1] / "programs" / "wrong_rate.py"
PNG = b"\x89PNG\r\n\x1a\n"


def run(folder: Path, *command: str | Path, status: int = 0) -> str:
    # More threads would not help with nine parameters, and would slow down tests that run at the same time.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == status, result.stderr
    return result.stdout


def test_train_lowers_the_loss(tmp_path: Path) -> None:
    before, after = map(float, re.findall(r"loss \w+: +([\d.]+)", run(tmp_path, EXAMPLES / "train.py")))
    assert after < 0.2 < 1 < before


def test_no_bit_differs_between_the_frameworks_and_ours(tmp_path: Path) -> None:
    output = run(tmp_path, TWO_FRAMEWORKS, "--out", "distances.png")
    bits, *own_grads_and_default_path, defaults = output.splitlines()
    assert bits == "differing bits, with the framework's gradients: 0 (torch fused), 0 (MindSpore)"
    differences = [float(found) for found in re.findall(r"(\S+) = \d+ ulp", "".join(own_grads_and_default_path))]
    assert len(differences) == 3
    assert max(differences) < 1e-4
    (distance,) = re.findall(r"default arguments after 300 steps: (\S+)$", defaults)
    assert 0.01 < float(distance) < 1
    assert (tmp_path / "distances.png").read_bytes().startswith(PNG)


def test_a_differing_bit_sets_the_exit_status(tmp_path: Path) -> None:
    output = run(tmp_path, WRONG_RATE, TWO_FRAMEWORKS, status=1)
    torch_bits, mindspore_bits = map(int, re.findall(r"(\d+) \(", output.splitlines()[0]))
    assert torch_bits > 0
    assert mindspore_bits == 0


def test_word_vectors_of_related_words_are_near_each_other(tmp_path: Path) -> None:
    output = run(tmp_path, EXAMPLES / "word_vectors.py", "--epochs", "6", "--out", "words.png")
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", output)]
    assert len(losses) == 6
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.3
    near = dict(re.findall(r"^(\w+): (.*, .*)$", output, re.MULTILINE))
    assert len(near) == 11
    for word, expected in {"left": "right", "true": "false", "bytes": "bytearray", "exception": "raised"}.items():
        assert expected in near[word].split(", ")
    assert (tmp_path / "words.png").read_bytes().startswith(PNG)


def test_a_table_larger_than_memory_is_trained_in_files(tmp_path: Path) -> None:
    output = run(tmp_path, EXAMPLES / "big_table.py", "--folder", ".", "--letters", "30000")
    assert re.match(r"in memory, limited to [1-9]\d* MB: Unable to allocate 2.00 GiB", output)
    small, big = (
        [float(loss) for loss in re.findall(rf"^{size} MB, .*: (\S+) bits", output, re.MULTILINE)]
        for size in ("2", "2,048")
    )
    assert small[0] == big[0] == 5
    assert big[2] < small[2] < 2.5

    megabytes = re.search(r"4,096 MB long, (\d+) MB on disk\nmemory: (\d+) MB, and (\d+) MB of mapped files", output)
    assert megabytes
    on_disk, allocated, mapped = map(int, megabytes.groups())
    assert on_disk < mapped < 400
    assert allocated < 200

    error = "error: sum[0]: expected a file of 2147483648 bytes, got one cut short to 1073741824\n"
    assert output.endswith(error + "changed by that step: nothing\n")
    assert list(tmp_path.iterdir()) == []


def test_a_run_switches_and_returns_without_a_differing_bit(tmp_path: Path) -> None:
    output = run(tmp_path, EXAMPLES / "switch_framework.py")
    losses = {
        name: [float(loss) for loss in values.split(", ")]
        for name, values in re.findall(r"^(\w.*): loss (.*)$", output, re.MULTILINE)
    }
    assert len(losses) == 5
    assert losses["torch, NumPy, torch"] == losses["torch"]
    assert losses["MindSpore, NumPy, MindSpore"] == losses["MindSpore"]
    assert output.count("differing bits: 0\n") == 2
    for first, *others, last in losses.values():
        assert first > max(others) > min(others) > last
    (distance,) = re.findall(r"largest distance from torch alone: (\S+)", output)
    assert 0 < float(distance) < 1e-3
    for kind in ("exact", "no counterpart", "approximated"):
        assert f", {kind}: " in output


def test_no_loss_differs_between_the_drop_in_and_torch(tmp_path: Path) -> None:
    output = run(tmp_path, EXAMPLES / "torch_dropin.py")
    found = re.findall(r"^(\w+): loss (\S+) to (\S+) in (\d+) steps, (\d+) losses differ$", output, re.MULTILINE)
    assert [(name, steps, differing) for name, _, _, steps, differing in found] == [
        ("digits", "210", "0"),
        ("ratings", "200", "0"),
    ]
    for _, first, last, *_ in found:
        assert float(last) < float(first) / 5
    assert len(re.findall(r"^  all steps took \d+ ms, torch's \d+ ms$", output, re.MULTILINE)) == 2


def test_a_differing_loss_sets_the_exit_status(tmp_path: Path) -> None:
    output = run(tmp_path, WRONG_RATE, EXAMPLES / "torch_dropin.py", status=1)
    assert [int(count) > 0 for count in re.findall(r"(\d+) losses differ", output)] == [True, True]


def test_logistic_regression_converges_to_the_optimum_of_sklearn(tmp_path: Path) -> None:
    command = EXAMPLES / "logistic_regression.py", "--out", "loss.png"
    pattern = r"^ *(\S+): loss (\S+), accuracy (\S+)%(?:, (\S+) above the optimum, weights within (\S+) of)?"
    results = re.findall(pattern, run(tmp_path, *command), re.MULTILINE)
    assert [name for name, *_ in results] == ["scikit-learn", "torch", "MindSpore"]
    _, minimum, sklearn_accuracy, *_ = results[0]
    assert float(sklearn_accuracy) > 94
    for _, loss, accuracy, excess, distance in results[1:]:
        assert abs(float(loss) - float(minimum)) < 1e-11
        assert accuracy == sklearn_accuracy
        assert abs(float(excess)) < 1e-13
        assert 0 < float(distance) < 1e-5
    assert (tmp_path / "loss.png").read_bytes().startswith(PNG)

    early = re.findall(pattern, run(tmp_path, *command, "--epochs", "50", "--rate", "0.1"), re.MULTILINE)
    assert early[0] == results[0]
    for _, loss, _, excess, distance in early[1:]:
        assert float(excess) == pytest.approx(float(loss) - float(minimum), rel=0.05)
        assert 1e-3 < float(excess) < 0.1
        assert float(distance) > 0.01


def test_gradients_from_jax_train_a_network_in_place(tmp_path: Path) -> None:
    output = run(tmp_path, EXAMPLES / "jax_gradients.py")
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
