"""Schedules in optimizers: every rule, copies, errors."""

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import DIALECTS, Dialect
from numpy_adagrad import TorchAdagrad, schedules

CASES: list[Any] = [
    schedules.constant(0.5, 0.3, 2),
    schedules.step(0.5, 2),
    schedules.multistep(0.5, [1, 3]),
    schedules.exponential(0.5, 0.9),
    schedules.polynomial(0.5, 3),
    schedules.cosine(0.5, 3),
    schedules.one_cycle(0.5, 10),
    schedules.warmup(schedules.cosine(0.5, 3), 2),
    schedules.per_epoch(schedules.step(0.5, 1), 2),
    schedules.ReduceOnPlateau(0.5),
]
NAMES = [type(case).__name__ for case in CASES]


def test_all_schedules_are_tried() -> None:
    assert sorted(NAMES) == sorted(schedules.__all__)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("rate", CASES, ids=NAMES)
def test_every_rule(rate: Any, dialect: Dialect) -> None:
    """The steps are those with the rates written into the group by hand; copies go on in the same way."""
    param, expected = np.ones(3, np.float32), np.ones(3, np.float32)
    groups = [{"params": [param], "lr": rate}]
    optimizer, by_hand = dialect.optimizer(groups), dialect.optimizer([{"params": [expected]}])
    for step in range(5):
        optimizer = (optimizer, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer)))[step % 3]
        by_hand.param_groups[0]["lr"] = rate(step)
        for one in (optimizer, by_hand):
            one.step([np.full(3, 0.3, np.float32)])
    assert_same_bits(optimizer.param_groups[0]["params"][0], expected)


def test_each_parameter_of_torchs_rule_has_its_own_step() -> None:
    calls = []

    def rate(steps: int) -> float:
        calls.append(steps)
        return 0.5 / (1 + steps)

    params, alone = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)
    grad = np.full(3, 0.3, np.float32)
    optimizer = TorchAdagrad(list(params), lr=rate)
    for grads in ([grad, None], [grad, grad], [None, grad]):
        optimizer.step(grads)
    assert calls == [0, 1, 0, 1]
    for param in alone:
        one = TorchAdagrad([param], lr=rate)
        for _ in range(2):
            one.step([grad])
    assert_same_bits(params, alone)


@pytest.mark.parametrize("rate", CASES, ids=NAMES)
def test_repr_makes_an_equal_schedule(rate: Any) -> None:
    shown = repr(rate)
    if isinstance(rate, schedules.ReduceOnPlateau):
        assert shown.startswith("ReduceOnPlateau(lr=0.5, mode='min', factor=0.1, patience=10, ")
        return
    assert eval(shown, vars(schedules)) == rate == copy.copy(rate)
    with pytest.raises(AttributeError, match="cannot assign"):
        rate.lr = 1.0


def test_numbers_of_numpy_become_python_floats() -> None:
    numbers: list[Any] = [np.float32(0.5), np.array(0.9)]
    rate = schedules.exponential(*numbers)
    assert type(rate(3)) is float
    assert rate == schedules.exponential(0.5, 0.9)


@pytest.mark.parametrize("rate", CASES, ids=NAMES)
def test_steps_of_numpy(rate: Any) -> None:
    """NumPy computes in the dtype of a scalar: in float32, rates were rounded, and in int64 they could overflow."""
    for step in range(8):
        for same in (np.int64(step), np.float32(step), np.array(step)):
            assert type(rate(same)) is float
            assert rate(same) == rate(step)


def test_state_of_a_plateau_survives_json() -> None:
    rate = schedules.ReduceOnPlateau(0.5, patience=1)
    other = copy.deepcopy(rate)
    for metric in (3.0, 3.0):
        rate.step(metric)
    other.load_state_dict(json.loads(json.dumps(rate.state_dict())))
    rate.step(3.0)
    other.step(3.0)
    assert rate.state_dict() == other.state_dict() == {
        "lr": 0.05,
        "best": 3.0,
        "num_bad_epochs": 0,
        "cooldown_counter": 0,
    }  # fmt: skip


def test_milestones_beyond_float64() -> None:
    assert schedules.multistep(0.5, [2**53 + 1]).milestones == (2**53 + 1,)


make: Any = schedules  # for arguments of a wrong type
ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    "negative": (lambda: make.step(-1, 3), ValueError, "lr: expected a finite number of at least 0, got -1"),
    "text": (lambda: make.step("1", 3), TypeError, "lr: expected a number or a 1-element array, got str"),
    "fraction": (
        lambda: make.step(1, 1.5),
        ValueError,
        "step_size: expected a whole number of at least 1, got 1.5",
    ),
    "milestone": (
        lambda: make.multistep(1, [-1]),
        ValueError,
        "milestones: expected a whole number of at least 0, got -1",
    ),
    "strategy": (
        lambda: make.one_cycle(1, 3, anneal_strategy="cosine"),
        ValueError,
        "anneal_strategy: expected 'cos' or 'linear', got 'cosine'",
    ),
    "divisor": (lambda: make.one_cycle(1, 3, div_factor=0), ValueError, "div_factor: expected a positive number"),
    "part": (lambda: make.one_cycle(1, 3, 1.5), ValueError, "pct_start: expected a number from 0 to 1, got 1.5"),
    "raising factor": (
        lambda: make.constant(1, factor=2.0),
        ValueError,
        "factor: expected a number from 0 to 1, got 2.0",
    ),
    "raising start_factor": (
        lambda: make.warmup(1, 3, start_factor=2.0),
        ValueError,
        "start_factor: expected a number from 0 to 1, got 2.0",
    ),
    "factor": (lambda: make.ReduceOnPlateau(1, factor=1), ValueError, "factor: expected a number below 1, got 1"),
    "mode": (
        lambda: make.ReduceOnPlateau(1, mode="low"),
        ValueError,
        "mode: expected 'min' or 'max', got 'low'",
    ),
    "one milestone": (
        lambda: make.multistep(1, 3),
        TypeError,
        "milestones: expected a sequence of whole numbers, got int",
    ),
    "milestones with values": (
        lambda: make.multistep(1, {10: 0.1}),
        TypeError,
        "milestones: expected a sequence of whole numbers, got dict",
    ),
    "milestones as text": (
        lambda: make.multistep(1, b"ab"),
        TypeError,
        "milestones: expected a sequence of whole numbers, got bytes",
    ),
    "an array of one milestone": (
        lambda: make.multistep(1, np.array(3)),
        TypeError,
        "milestones: expected a sequence of whole numbers, got ndarray",
    ),
    "step of infinity": (
        lambda: make.cosine(1, 3)(float("inf")),
        ValueError,
        "step: expected a finite number of at least 0, got inf",
    ),
    "step that is no number": (
        lambda: make.constant(1)(float("nan")),
        ValueError,
        "step: expected a finite number of at least 0, got nan",
    ),
    "class": (
        lambda: make.warmup(make.cosine, 3),
        TypeError,
        "schedule: expected a callable of the number of steps, got the class cosine; give cosine(...)",
    ),
    "epochs of a class": (
        lambda: make.per_epoch(make.cosine, 3),
        TypeError,
        "schedule: expected a callable of the number of steps, got the class cosine; give cosine(...)",
    ),
    "power beyond float64": (
        lambda: make.exponential(1, 1e308)(2),
        OverflowError,
        "exponential: expected a rate within float64 for step 2, got inf",
    ),
    "product beyond float64": (
        lambda: make.step(1e308, 1, 10)(1),
        OverflowError,
        "step: expected a rate within float64 for step 1, got inf",
    ),
    "flag": (
        lambda: make.cosine(0.5, 3, hold=np.array([True, False])),
        TypeError,
        "hold: expected True or False, got ndarray of shape (2,)",
    ),
    "steps": (
        lambda: make.cosine(0.5, 3)(np.arange(3)),
        TypeError,
        "step: expected a number, got an array of shape (3,) and dtype int64",
    ),
    "length of a rise": (
        lambda: make.warmup(1, 0),
        ValueError,
        "total_iters: expected a whole number of at least 1, got 0",
    ),
    "negative rate after a rise": (
        lambda: make.warmup(-1, 3),
        ValueError,
        "schedule: expected a finite number of at least 0, got -1",
    ),
    "length of an epoch": (
        lambda: make.per_epoch(make.constant(1), 0),
        ValueError,
        "steps_per_epoch: expected a whole number of at least 1, got 0",
    ),
    "threshold_mode": (
        lambda: make.ReduceOnPlateau(1, threshold_mode="per cent"),
        ValueError,
        "threshold_mode: expected 'rel' or 'abs', got 'per cent'",
    ),
    "threshold": (
        lambda: make.ReduceOnPlateau(1, threshold=-1),
        ValueError,
        "threshold: expected a finite number of at least 0, got -1",
    ),
    "patience": (
        lambda: make.ReduceOnPlateau(1, patience=0.5),
        ValueError,
        "patience: expected a whole number of at least 0, got 0.5",
    ),
    "epochs": (lambda: make.per_epoch(0.1, 3), TypeError, "schedule: expected a callable, got float"),
}


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"lr": "x"}, TypeError, "state_dict['lr']: expected a number or a 1-element array, got str"),
        ({"lr": -1}, ValueError, "state_dict['lr']: expected a finite number of at least 0, got -1"),
        ({"best": None}, TypeError, "state_dict['best']: expected a number or a 1-element array, got NoneType"),
        (
            {"cooldown_counter": 0.5},
            ValueError,
            "state_dict['cooldown_counter']: expected a whole number of at least 0, got 0.5",
        ),
        (None, TypeError, "state_dict: expected a dict, got NoneType"),
        ({}, KeyError, "state_dict: expected an entry 'lr'"),
    ],
)
def test_wrong_states_of_a_plateau_change_nothing(change: Any, kind: type[Exception], message: str) -> None:
    rate = schedules.ReduceOnPlateau(0.5)
    before = rate.state_dict()
    with pytest.raises(kind) as error:
        rate.load_state_dict({**before, **change} if change else change)
    assert error.value.args == (message,)
    assert rate.state_dict() == before


def test_a_cycle_that_is_over_changes_nothing() -> None:
    param = np.ones(3)
    optimizer = TorchAdagrad([param], lr=schedules.one_cycle(0.5, 1))
    optimizer.step([np.ones(3)])
    before = param.copy()
    with pytest.raises(ValueError, match="step: expected one below total_steps, 1, got 1"):
        optimizer.step([np.ones(3)])
    assert_same_bits(param, before)


@pytest.mark.parametrize("options", [{}, {"max_norm": 1e9}])
def test_the_last_rate_is_that_of_the_last_step(dialect: Dialect, options: dict[str, Any]) -> None:
    """Also where the schedule would return another one by now."""
    rate = schedules.ReduceOnPlateau(0.5, factor=0.5, patience=0)
    arguments: dict[str, Any] = {dialect.rate: rate}
    optimizer = dialect.make([np.zeros(3)], **arguments)
    optimizer.step([np.ones(3)], **options)
    for _ in range(2):
        rate.step(1.0)
    assert rate(1) == 0.25
    assert optimizer.last_lr == [0.5]
    groups = optimizer.state_dict().get("param_groups", [])  # only in torch's layout
    assert [group["lr"] for group in groups] == [0.5] * len(groups)


def test_an_error_of_an_own_schedule_is_the_cause() -> None:
    """An OverflowError, which a formula may raise, too."""

    def rate(step: int) -> float:
        raise OverflowError("mine")

    with pytest.raises(OverflowError, match=r"^warmup: expected a rate within float64 for step 5, got inf$") as caught:
        schedules.warmup(rate, 3)(5)
    assert str(caught.value.__cause__) == "mine"
