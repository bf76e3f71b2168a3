"""Run the examples of models and of sparse gradients, and check their output and pictures."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.examples import EXAMPLES, PNG, run
from sklearn.utils.estimator_checks import check_estimator


def test_train_lowers_the_loss(tmp_path: Path) -> None:
    before, after = map(float, re.findall(r"loss \w+: +([\d.]+)", run(tmp_path, "train.py")))
    assert after < 0.2 < 1 < before


def test_adagrad_needs_no_tuned_rate_for_measurements_in_different_units(tmp_path: Path) -> None:
    output = run(tmp_path, "linear_regression.py")
    runs = re.findall(r"^ *(\w.*): (\d+) above the exact solution, (\S+) after 3000 steps$", output, re.MULTILINE)
    assert [name.split(", ")[0] for name, *_ in runs] == ["Adagrad"] * 3 + ["gradient descent"]
    assert {before for _, before, _ in runs} == {"1535"}
    *with_adagrad, with_gradient_descent = (float(after) for *_, after in runs)
    assert max(with_adagrad) < 0.4
    assert with_gradient_descent > 100
    assert (tmp_path / "linear_regression.png").read_bytes().startswith(PNG)


def test_logistic_regression_converges_to_the_optimum_of_sklearn(tmp_path: Path) -> None:
    pattern = r"^ *(\S+): loss (\S+), accuracy (\S+)%(?:, (\S+) above the optimum, weights within (\S+) of)?"
    results = re.findall(pattern, run(tmp_path, "logistic_regression.py"), re.MULTILINE)
    assert [name for name, *_ in results] == ["scikit-learn", "torch", "MindSpore"]
    _, minimum, sklearn_accuracy, *_ = results[0]
    assert float(sklearn_accuracy) > 94
    for _, loss, accuracy, excess, distance in results[1:]:
        assert abs(float(loss) - float(minimum)) < 1e-11
        assert accuracy == sklearn_accuracy
        assert abs(float(excess)) < 1e-13
        assert 0 < float(distance) < 1e-5
    assert (tmp_path / "logistic_regression.png").read_bytes().startswith(PNG)


def test_a_resumed_network_has_the_bits_of_one_that_never_stopped(tmp_path: Path) -> None:
    output = run(tmp_path, "mlp.py")
    epochs = re.findall(r"^epoch +\d+: loss (\S+), learning rate (\S+)$", output, re.MULTILINE)
    losses, rates = ([float(value) for value in column] for column in zip(*epochs, strict=True))
    assert len(losses) == 20
    assert losses[-1] < 0.2 < losses[0]
    assert rates.index(max(rates)) == 2
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert "resumed after epoch 10: the final parameters have equal bits\n" in output
    (accuracy,) = re.findall(r"^(\S+)% of the held-out digits", output, re.MULTILINE)
    assert float(accuracy) > 95
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlp.png", "mlp.safetensors"]
    assert (tmp_path / "mlp.png").read_bytes().startswith(PNG)


def test_the_estimator_passes_the_checks_of_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)  # one of the checks is that it pickles, so it must be importable
    estimator = importlib.import_module("sklearn_estimator").AdagradClassifier()
    results = check_estimator(estimator, on_skip=None)  # a failed check raises an error
    # scikit-learn itself leaves out what needs pandas or a setting of the environment.
    assert sum(result["status"] == "passed" for result in results) > 40


def test_the_estimator_works_in_a_grid_search_and_on_a_stream(tmp_path: Path) -> None:
    output = run(tmp_path, "sklearn_estimator.py")
    scores = [float(score) for score in re.findall(r"rate': \S+: (\S+)%$", output, re.MULTILINE)]
    assert len(scores) == 4
    assert scores[0] < 90 < scores[-1]
    (searched,) = re.findall(r"^grid search: (\S+)%", output, re.MULTILINE)
    assert float(searched) > 93
    streamed = [float(score) for score in re.findall(r"sparse samples: (\S+)% recognised$", output, re.MULTILINE)]
    assert len(streamed) == 5
    assert streamed[-1] > streamed[0] > 70


def test_factors_complete_hidden_pixels(tmp_path: Path) -> None:
    output = run(tmp_path, "matrix_factorisation.py")
    known = [float(error) for error in re.findall(r"error (\S+) on known pixels", output)]
    assert len(known) == 4
    assert known == sorted(known, reverse=True)
    with_mean, with_factors = map(float, re.findall(r"^hidden pixels: error (\S+) with", output, re.MULTILINE))
    assert known[-1] < with_factors < 0.8 * with_mean
    assert (tmp_path / "matrix_factorisation.png").read_bytes().startswith(PNG)


def test_hashed_words_tell_the_library(tmp_path: Path) -> None:
    output = run(tmp_path, "text_classification.py")
    recognised = [float(share) for share in re.findall(r"^epoch \d: (\S+)% of held-out", output, re.MULTILINE)]
    assert len(recognised) == 5
    assert min(recognised) > 88
    step = re.search(r"a step updates ([\d,]+) of 4,194,304 weights \((\S+)%\) in \S+ ms$", output, re.MULTILINE)
    assert step
    assert 0 < float(step[2]) < 1
    assert (tmp_path / "text_classification.png").read_bytes().startswith(PNG)


def test_word_vectors_of_related_words_are_near_each_other(tmp_path: Path) -> None:
    output = run(tmp_path, "word_vectors.py", "--epochs", "6")
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", output)]
    assert len(losses) == 6
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.3
    near = dict(re.findall(r"^(\w+): (.*, .*)$", output, re.MULTILINE))
    assert len(near) == 11
    for word, expected in {"left": "right", "true": "false", "bytes": "bytearray", "exception": "raised"}.items():
        assert expected in near[word].split(", ")
    assert (tmp_path / "word_vectors.png").read_bytes().startswith(PNG)


def test_a_table_larger_than_memory_is_trained_in_files(tmp_path: Path) -> None:
    output = run(tmp_path, "big_table.py", "--letters", "30000")
    (limit,) = re.findall(r"^memory is limited to (\d+) MB$", output, re.MULTILINE)
    small, big = (
        [float(loss) for loss in re.findall(rf"^{size} MB, .*: (\S+) bits", output, re.MULTILINE)]
        for size in ("2", "2,048")
    )
    assert small[0] == big[0] == 5
    assert big[2] < small[2] < 2.5

    (on_disk,) = map(int, re.findall(r"4,096 MB long, (\d+) MB on disk$", output, re.MULTILINE))
    *_, (allocated, mapped) = re.findall(r"memory: (\d+) MB, and (\d+) MB of mapped files", output)
    assert on_disk < int(mapped) < 400
    assert int(allocated) < 200 < int(limit) < 600
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("letters", ["1023", "0", "-5"])
def test_a_table_needs_the_letters_of_a_batch(
    letters: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr("sys.argv", ["big_table.py", "--letters", letters])
    with pytest.raises(SystemExit):
        importlib.import_module("big_table").main()
    assert capsys.readouterr().err.endswith(f"--letters: expected at least 1024, one batch, got {letters}\n")


def test_the_estimator_continues_with_other_data_and_another_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    model = importlib.import_module("sklearn_estimator").AdagradClassifier(random_state=0)
    with pytest.raises(ValueError, match=r"^classes: expected all labels in the first call to partial_fit, got None$"):
        model.partial_fit([[0.0], [1.0]], ["a", "b"])
    model.partial_fit(np.zeros((2, 1), np.float32), ["a", "b"], classes=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"^classes: expected those of the first call, "):
        model.partial_fit([[0.0], [1.0]], ["a", "b"], classes=["a", "b"])
    with pytest.raises(ValueError, match=r"^y: expected labels among \['a' 'b' 'c'\], got \['d'\]$"):
        model.partial_fit([[0.0], [1.0]], ["a", "d"])
    unchanged = model.predict_proba([[1.0]])
    model.set_params(learning_rate=10.0).partial_fit([[0.0], [1.0]], ["a", "b"])  # float64 after float32
    assert model.coef_.dtype == np.float32
    assert model.predict_proba([[1.0]])[0, 1] > 0.9 > unchanged[0, 1]
