"""How far the two rules run apart: what each runs with, distances, gradients from a file."""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import refuses
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.migration.divergence import (
    Distance,
    Floats,
    Problem,
    Settings,
    distance,
    distances,
    element_name,
    first_beyond,
    random_problem,
    runs,
    settings,
)
from numpy_adagrad.migration.gradients import read_problem


def problem(start: dict[str, Any], *steps: dict[str, Any]) -> Problem:
    def grads() -> Iterator[dict[str, Floats]]:
        return ({name: np.asarray(grad, np.float32) for name, grad in step.items()} for step in steps)

    return Problem({name: np.asarray(param, np.float32) for name, param in start.items()}, len(steps), grads)


# What each rule runs with


def test_without_arguments_each_rule_has_its_own_defaults() -> None:
    chosen = settings(None, {})
    assert chosen._replace(notes=[]) == Settings({}, {}, [])
    kinds = {note.argument: note.kind for note in chosen.notes}
    assert kinds == {"lr": "defaults differ", "initial_accumulator_value": "defaults differ", "eps": "approximated"}
    given = random_problem(size=5, steps=2, seed=1)
    *_, (torch, mindspore) = runs(chosen, given)
    for rule, moved in ((TorchAdagrad, torch), (MindSporeAdagrad, mindspore)):
        w = given.start["w"].copy()
        optimizer = rule([w])
        for grads in given.grads():
            optimizer.step([grads["w"]])
        assert_same_bits(moved, w)


def test_arguments_are_translated_for_the_other_rule() -> None:
    chosen = settings("torch", {"lr": 0.5, "initial_accumulator_value": 0.25})
    assert chosen.torch == {"lr": 0.5, "initial_accumulator_value": 0.25}
    assert chosen.mindspore["learning_rate"] == 0.5
    assert chosen.mindspore["accum"] == 0.25
    chosen = settings("mindspore", {"learning_rate": 0.5, "accum": 0.25})
    assert chosen.mindspore == {"learning_rate": 0.5, "accum": 0.25}
    assert chosen.torch["lr"] == 0.5
    assert chosen.torch["initial_accumulator_value"] == 0.25


def test_what_torch_maximises_mindspore_minimises_negated() -> None:
    given = problem({"w": [1.0, 2.0]}, {"w": [0.5, -2.0]}, {"w": [1.0, 1.0]})
    *_, (torch, mindspore) = runs(settings("torch", {"maximize": True, "initial_accumulator_value": 0.1}), given)
    uphill, downhill = given.start["w"].copy(), given.start["w"].copy()
    torch_rule = TorchAdagrad([uphill], initial_accumulator_value=0.1, maximize=True)
    mindspore_rule = MindSporeAdagrad([downhill], accum=0.1, learning_rate=0.01)
    for grads in given.grads():
        torch_rule.step([grads["w"]])
        mindspore_rule.step([-grads["w"]])
    assert_same_bits(torch, uphill)
    assert_same_bits(mindspore, downhill)
    assert (mindspore > [1, 1.9]).all()


def test_gradients_come_multiplied_by_the_loss_scale() -> None:
    given = problem({"w": [1.0, 2.0]}, {"w": [0.5, -2.0]}, {"w": [1.0, 1.0]})
    arguments: dict[str, Any] = {"loss_scale": 1000.0, "learning_rate": 0.5}
    *_, (torch, mindspore) = runs(settings("mindspore", arguments), given)
    w, v = given.start["w"].copy(), given.start["w"].copy()
    mindspore_rule = MindSporeAdagrad([w], **arguments)
    torch_rule = TorchAdagrad([v], **settings("mindspore", arguments).torch)
    for grads in given.grads():
        scaled = grads["w"] * np.float32(1000)
        mindspore_rule.step([scaled])
        torch_rule.step([scaled], grad_scale=1000)
    assert_same_bits(mindspore, w)
    assert_same_bits(torch, v)
    assert np.abs(torch - mindspore).max() < 1e-6


@pytest.mark.parametrize("source", ["torch", "mindspore"])
def test_translated_arguments_run_closer_than_defaults(source: str) -> None:
    arguments = {"initial_accumulator_value": 0.1} if source == "torch" else {}
    given = random_problem(size=100, steps=50, seed=3)
    *_, apart = distances(settings(None, {}), given)
    *_, closer = distances(settings(source, arguments), given)
    assert closer.largest < 1e-6 < 0.01 < apart.largest


def test_a_rate_that_decays_is_decayed_in_both() -> None:
    arguments = {"lr": 0.5, "lr_decay": 0.1, "initial_accumulator_value": 0.1}
    given = random_problem(size=100, steps=50, seed=3)
    *_, closer = distances(settings("torch", arguments), given)
    *_, constant = distances(settings("torch", arguments)._replace(mindspore={"learning_rate": 0.5}), given)
    assert closer.largest < 1e-5 < 0.1 < constant.largest


# Runs and distances


def test_first_step_by_hand() -> None:
    """From accumulator 0.11: torch divides 0.1 * 0.5 by sqrt(0.36), MindSpore by sqrt(0.36 + 1e-8)."""
    chosen = Settings({"lr": 0.1, "initial_accumulator_value": 0.11}, {"learning_rate": 0.2, "accum": 0.11}, [])
    given = problem({"w": [0.0, 3.0], "b": 1.0}, {"w": [0.5, 0.0], "b": np.float32(-0.5)})
    (apart,) = distances(chosen, given)
    assert apart.largest == pytest.approx(0.05 / 0.6, abs=1e-7)
    assert apart.median == pytest.approx(0.05 / 0.6, abs=1e-7)
    assert apart.element in (0, 2)
    assert next(runs(chosen, given))[0].tolist() == [0, 3, 1]


def test_runs_leave_start_and_gradients_alone() -> None:
    given = random_problem(size=10, steps=3, seed=1)
    before = given.start["w"].copy()
    first, second = ([pair[0].copy() for pair in runs(settings(None, {}), given)] for _ in range(2))
    assert_same_bits(given.start["w"], before)
    assert len(first) == 4
    assert_same_bits(first, second)
    assert len(np.unique([grads["w"] for grads in given.grads()])) == 30


def test_a_seed_fixes_the_problem() -> None:
    assert_same_bits(random_problem(5, 1, 7).start["w"], random_problem(5, 9, 7).start["w"])
    assert not np.array_equal(random_problem(5, 1, 7).start["w"], random_problem(5, 1, 8).start["w"])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3], [1, 2.5, 1], (2, 0.5, 2)),
        ([1, 1], [1, 1], (0, 0, 0)),
        ([1], [np.nextafter(np.float32(1), np.float32(2))], (2**-23, 2**-23, 0)),
        ([-3e38], [3e38], (2 * float(np.float32(3e38)), 2 * float(np.float32(3e38)), 0)),
        ([np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf], (0, 0, 0)),
        ([0, np.nan, 0], [0, 1, 0], (np.inf, 0, 1)),
        ([0, np.inf, 0], [0, -np.inf, 0.5], (np.inf, 0.5, 1)),
        ([0.0], [-0.0], (0, 0, 0)),
    ],
)
def test_distance(one: list[float], other: list[float], expected: tuple[float, float, int]) -> None:
    assert distance(np.array(one, np.float32), np.array(other, np.float32)) == expected


def test_first_step_beyond_the_tolerance() -> None:
    apart = [Distance(largest, 0, 0) for largest in (0, 0.25, 0.5, 0.25, np.inf)]
    assert [first_beyond(apart, tolerance) for tolerance in (0, 0.25, 0.3, 0.5, np.inf)] == [2, 3, 3, 5, None]


def test_names_of_elements() -> None:
    start = {"b": np.zeros((), np.float32), "none": np.zeros((0, 2), np.float32), "W": np.zeros((2, 3), np.float32)}
    assert [element_name(start, element) for element in range(4)] == ["b", "W[0, 0]", "W[0, 1]", "W[0, 2]"]
    assert element_name(start, 6) == "W[1, 2]"
    with pytest.raises(IndexError):
        element_name(start, 7)


def test_rates_must_last_for_all_steps() -> None:
    given = random_problem(size=2, steps=3, seed=1)
    message = "learning_rate: expected a rate for each of 3 steps, got 2"
    refuses(ValueError, message, lambda: next(runs(settings("mindspore", {"learning_rate": [0.1, 0.2]}), given)))
    enough = list(runs(settings("mindspore", {"learning_rate": [0.1, 0.2, 0.3]}), given))
    assert len(enough) == 4


# Gradients from a file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "grads.npz"


def test_gradients_and_start_are_read(path: Path) -> None:
    rng = np.random.default_rng(0)
    W, b = rng.standard_normal((4, 2, 3), np.float32), rng.standard_normal(4, np.float32)
    start = np.asfortranarray(rng.standard_normal((2, 3), np.float32))
    arrays: dict[str, Any] = {"W": W, "b": b, "start.W": start}
    np.savez_compressed(path, **arrays)
    given = read_problem(path)
    assert given.steps == 4
    assert list(given.start) == ["W", "b"]
    assert_same_bits(given.start["W"], start)
    assert_same_bits(given.start["b"], np.float32(0))
    for step, grads in enumerate(given.grads()):
        assert_same_bits(grads["W"], W[step])
        assert_same_bits(grads["b"], b[step])
    flat = np.append(start, np.float32(0))
    assert_same_bits(next(runs(settings(None, {}), given))[1], flat)


def test_parameters_named_beta_or_gamma_do_not_decay_in_mindspore(path: Path) -> None:
    none = np.zeros((1, 1), np.float32)
    one = np.ones(1, np.float32)
    arrays: dict[str, Any] = {"w": none, "beta": none, "start.w": one, "start.beta": one}
    np.savez(path, **arrays)
    *_, (torch, mindspore) = runs(settings("torch", {"weight_decay": 0.5}), read_problem(path))
    assert (torch < 1).all()
    assert mindspore[0] < 1 == mindspore[1]


ONE = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({}, ValueError, ": expected an array of gradients for each parameter, got none"),
        ({"start.w": ONE}, ValueError, ": expected an array of gradients for each parameter, got none"),
        ({"w": ONE, "v": ONE[:1]}, ValueError, ": expected as many steps in each array, got {'w': 2, 'v': 1}"),
        ({"w": ONE[:0]}, ValueError, ": expected at least one step of one element, got {'w': 0}"),
        ({"w": ONE[:, :0]}, ValueError, ": expected at least one step of one element, got {'w': 2}"),
        ({"w": ONE[0, 0]}, ValueError, ", 'w': expected the step as first axis, got an array of shape ()"),
        ({"w": ONE.astype(np.float64)}, TypeError, ", 'w': expected float32, got float64"),
        ({"w": ONE.astype(">f4")}, TypeError, ", 'w': expected float32, got >f4"),
        ({"w": ONE.astype(int)}, TypeError, ", 'w': expected float32, got int64"),
        ({"w": ONE, "start.w": np.ones(3)}, TypeError, ", 'start.w': expected float32, got float64"),
        ({"w": ONE, "start.w": ONE}, ValueError, ", 'start.w': expected shape (3,), got (2, 3)"),
        ({"w": ONE, "start.v": ONE}, ValueError, ", 'start.v': expected the name of an array of gradients, got 'v'"),
        ({"w": np.array([None])}, ValueError, ", 'w': Object arrays cannot be loaded when allow_pickle=False"),
    ],
)
def test_files_of_wrong_arrays_are_refused(
    path: Path, arrays: dict[str, Any], error: type[Exception], message: str
) -> None:
    np.savez(path, **arrays)
    refuses(error, f"{path}{message}", lambda: read_problem(path))


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


ANOTHER = ": expected an .npz file, got another or a damaged one"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ANOTHER),
        (b"some text", ANOTHER),
        (b"PK\x03\x04 some text", ANOTHER),
        (npy(ONE), ": expected an .npz file, got one array without a name"),
    ],
)
def test_files_of_another_kind_are_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    refuses(ValueError, f"{path}{message}", lambda: read_problem(path))


def test_pickles_are_never_loaded(path: Path) -> None:
    """One that was, would make a file."""
    trace = path.with_suffix(".trace")
    path.write_bytes(b"cbuiltins\nopen\n(V" + str(trace).encode() + b"\nVw\ntR.")
    refuses(ValueError, f"{path}{ANOTHER}", lambda: read_problem(path))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.txt", b"some text", "'w.txt': expected an array, got something else"),
        ("w.npy", npy(ONE)[:20], "'w': EOF: "),
        ("w.npy", npy(ONE)[:-1], "'w': "),
    ],
)
def test_damaged_members_are_refused(path: Path, name: str, content: bytes, message: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, content)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, {message}')}.*$"):
        read_problem(path)


def test_missing_files_are_refused(path: Path) -> None:
    refuses(ValueError, f"{path}: No such file or directory", lambda: read_problem(path))
    refuses(ValueError, f"{path.parent}: Is a directory", lambda: read_problem(path.parent))
