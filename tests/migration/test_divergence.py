"""The divergence of two rules: their setups, runs and distances."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import raises
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.migration.distance import Distance, Floats, distance, element_name, first_beyond
from numpy_adagrad.migration.divergence import Problem, Settings, Setup, distances, random_problem, runs, settings

RULES = ("torch", "mindspore")


def problem(start: dict[str, Any], *steps: dict[str, Any]) -> Problem:
    def grads() -> Iterator[dict[str, Floats]]:
        return ({name: np.asarray(grad, np.float32) for name, grad in step.items()} for step in steps)

    return Problem({name: np.asarray(param, np.float32) for name, param in start.items()}, len(steps), grads)


# Setups


def test_without_arguments_each_rule_has_its_own_defaults() -> None:
    chosen = settings(RULES, "torch", None)
    assert chosen._replace(notes=[]) == Settings(Setup("torch", {}), Setup("mindspore", {}), [])
    kinds = {note.argument: note.kind for note in chosen.notes}
    assert kinds == {"lr": "defaults differ", "initial_accumulator_value": "defaults differ", "eps": "approximated"}
    given = random_problem(size=5, steps=2, seed=1)
    *_, (torch, mindspore) = runs(chosen, given)
    for rule, updated in ((TorchAdagrad, torch), (MindSporeAdagrad, mindspore)):
        w = given.start["w"].copy()
        optimizer = rule([w])
        for grads in given.grads():
            optimizer.step([grads["w"]])
        assert_same_bits(updated, w)


def test_arguments_are_translated_for_the_other_rule() -> None:
    chosen = settings(RULES, "torch", {"lr": 0.5, "initial_accumulator_value": 0.25})
    assert chosen.first.arguments == {"lr": 0.5, "initial_accumulator_value": 0.25}
    assert chosen.second.arguments["learning_rate"] == 0.5
    assert chosen.second.arguments["accum"] == 0.25
    chosen = settings(RULES, "mindspore", {"learning_rate": 0.5, "accum": 0.25})
    assert chosen.second.arguments == {"learning_rate": 0.5, "accum": 0.25}
    assert chosen.first.arguments["lr"] == 0.5
    assert chosen.first.arguments["initial_accumulator_value"] == 0.25


def test_either_rule_can_come_first() -> None:
    arguments = {"maximize": True, "weight_decay": 0.1}
    chosen, reverse = settings(RULES, "torch", arguments), settings(RULES[::-1], "torch", arguments)
    assert (reverse.second, reverse.first, *reverse[2:]) == tuple(chosen)
    given = random_problem(size=5, steps=2, seed=1)
    *_, (torch, mindspore) = runs(chosen, given)
    *_, (second, first) = runs(reverse, given)
    assert_same_bits(first, torch)
    assert_same_bits(second, mindspore)


def test_a_rule_without_maximize_gets_negated_gradients() -> None:
    given = problem({"w": [1.0, 2.0]}, {"w": [0.5, -2.0]}, {"w": [1.0, 1.0]})
    *_, (torch, mindspore) = runs(settings(RULES, "torch", {"maximize": True, "initial_accumulator_value": 0.1}), given)
    uphill, downhill = given.start["w"].copy(), given.start["w"].copy()
    torch_rule = TorchAdagrad([uphill], initial_accumulator_value=0.1, maximize=True)
    mindspore_rule = MindSporeAdagrad([downhill], accum=0.1, learning_rate=0.01)
    for grads in given.grads():
        torch_rule.step([grads["w"]])
        mindspore_rule.step([-grads["w"]])
    assert_same_bits(torch, uphill)
    assert_same_bits(mindspore, downhill)
    assert (mindspore > [1, 1.9]).all()


def test_a_rule_without_loss_scale_divides_the_gradients() -> None:
    given = problem({"w": [1.0, 2.0]}, {"w": [0.5, -2.0]}, {"w": [1.0, 1.0]})
    arguments: dict[str, Any] = {"loss_scale": 1000.0, "learning_rate": 0.5}
    *_, (torch, mindspore) = runs(settings(RULES, "mindspore", arguments), given)
    w, v = given.start["w"].copy(), given.start["w"].copy()
    mindspore_rule = MindSporeAdagrad([w], **arguments)
    torch_rule = TorchAdagrad([v], **settings(RULES, "mindspore", arguments).first.arguments)
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
    *_, default = distances(settings(RULES, "torch", None), given)
    *_, closer = distances(settings(RULES, source, arguments), given)
    assert closer.largest < 1e-6 < 0.01 < default.largest


def test_a_rate_that_decays_is_decayed_in_both() -> None:
    arguments = {"lr": 0.5, "lr_decay": 0.1, "initial_accumulator_value": 0.1}
    given = random_problem(size=100, steps=50, seed=3)
    chosen = settings(RULES, "torch", arguments)
    *_, closer = distances(chosen, given)
    *_, constant = distances(chosen._replace(second=Setup("mindspore", {"learning_rate": 0.5})), given)
    assert closer.largest < 1e-5 < 0.1 < constant.largest


# Runs and distances


def test_first_step_by_hand() -> None:
    """From accumulator 0.11: torch divides 0.1 * 0.5 by sqrt(0.36), MindSpore by sqrt(0.36 + 1e-8)."""
    torch = Setup("torch", {"lr": 0.1, "initial_accumulator_value": 0.11})
    chosen = Settings(torch, Setup("mindspore", {"learning_rate": 0.2, "accum": 0.11}), [])
    given = problem({"w": [0.0, 3.0], "b": 1.0}, {"w": [0.5, 0.0], "b": np.float32(-0.5)})
    (only,) = distances(chosen, given)
    assert only.largest == pytest.approx(0.05 / 0.6, abs=1e-7)
    assert only.median == pytest.approx(0.05 / 0.6, abs=1e-7)
    assert only.element in (0, 2)
    assert next(runs(chosen, given))[0].tolist() == [0, 3, 1]


def test_runs_leave_start_and_gradients_alone() -> None:
    given = random_problem(size=10, steps=3, seed=1)
    before = given.start["w"].copy()
    first, second = ([pair[0].copy() for pair in runs(settings(RULES, "torch", None), given)] for _ in range(2))
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
        ([1, 2, 3], [1, 2.5, 1], (2, 0.5, 2, 0)),
        ([1, 1], [1, 1], (0, 0, 0, 0)),
        ([1], [np.nextafter(np.float32(1), np.float32(2))], (2**-23, 2**-23, 0, 0)),
        ([-3e38], [3e38], (2 * float(np.float32(3e38)), 2 * float(np.float32(3e38)), 0, 0)),
        ([np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf], (0, 0, 0, 3)),
        ([0, np.nan, 0], [0, 1, 0], (np.inf, 0, 1, 1)),
        ([0, np.inf, 0], [0, -np.inf, 0.5], (np.inf, 0.5, 1, 1)),
        ([0.0], [-0.0], (0, 0, 0, 0)),
    ],
)
def test_distance(one: list[float], other: list[float], expected: tuple[float, float, int, int]) -> None:
    assert distance(np.array(one, np.float32), np.array(other, np.float32)) == expected


def test_first_step_beyond_the_tolerance() -> None:
    after_steps = [Distance(largest, 0, 0) for largest in (0, 0.25, 0.5, 0.25, np.inf)]
    assert [first_beyond(after_steps, tolerance) for tolerance in (0, 0.25, 0.3, 0.5, np.inf)] == [2, 3, 3, 5, None]


def test_names_of_elements() -> None:
    start = {"b": np.zeros((), np.float32), "none": np.zeros((0, 2), np.float32), "W": np.zeros((2, 3), np.float32)}
    assert [element_name(start, element) for element in range(4)] == ["b", "W[0, 0]", "W[0, 1]", "W[0, 2]"]
    assert element_name(start, 6) == "W[1, 2]"
    with pytest.raises(IndexError):
        element_name(start, 7)


def test_rates_must_last_for_all_steps() -> None:
    given = random_problem(size=2, steps=3, seed=1)
    message = "learning_rate: expected a rate for each of 3 steps, got 2"
    raises(ValueError, message, lambda: next(runs(settings(RULES, "mindspore", {"learning_rate": [0.1, 0.2]}), given)))
    enough = list(runs(settings(RULES, "mindspore", {"learning_rate": [0.1, 0.2, 0.3]}), given))
    assert len(enough) == 4


def test_parameters_named_beta_or_gamma_do_not_decay_in_mindspore() -> None:
    given = problem({"w": [1.0], "beta": [1.0]}, {"w": [0.0], "beta": [0.0]})
    *_, (torch, mindspore) = runs(settings(RULES, "torch", {"weight_decay": 0.5}), given)
    assert (torch < 1).all()
    assert mindspore[0] < 1 == mindspore[1]
