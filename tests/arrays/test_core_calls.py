"""What the functions of the core check themselves, whoever calls them. The package's own Python calls them rightly."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import raises
from helpers.interpreters import succeed
from helpers.values import misaligned, normal, read_only, zeros
from numpy_adagrad import _core

ROLES = ("params", "states", "grads", "counters")


def plan_of(group: Any, states: Any, index: Any, counters: Any = ()) -> Any:
    plan = _core.Plan("memory_bound", ROLES)
    plan.add_groups([group], list(states), list(counters), [], index)
    return plan


def test_a_rule_that_does_not_exist() -> None:
    message = f"rule: expected one of {str([*_core.rules])[1:-1]}, got 'adam'"
    raises(ValueError, message, lambda: _core.Plan("adam", ROLES))


def test_the_yardstick_of_the_benchmark_adds_the_gradient() -> None:
    """It has neither options nor steps to count."""
    w, s, grad = normal(6, 4), zeros((6, 4)), normal(6, 4, seed=2)
    groups = [{"params": [w]}]
    plan = plan_of(groups[0], [s], np.zeros(1, np.int32))
    expected = w - grad
    assert plan.try_step(groups, [grad], None) == _core.DONE
    assert_same_bits(w, expected, "parameter")
    assert_same_bits(s, grad, "accumulator")


def test_groups_added_after_a_step_of_a_plan_without_options() -> None:
    """The core read beyond the hyperparameters of the first groups."""
    groups = [{"params": [zeros(4)]}]
    plan = plan_of(groups[0], [zeros(4)], np.zeros(1, np.int32))
    assert plan.try_step(groups, [np.ones(4, np.float32)], None) == _core.DONE
    groups.append({"params": [zeros(4) for _ in range(3000)]})
    plan.add_groups(groups[1:], [zeros(4) for _ in range(3000)], [], [], np.zeros(3000, np.int32))
    assert plan.try_step(groups, [np.ones(4, np.float32) for _ in range(3001)], None) == _core.DONE
    for group in groups:
        for param in group["params"]:
            assert param[0] == -1 - (group is groups[0])


W = normal(6, 4)
INDEX = np.zeros(1, np.int32)
WRONG_INDEX = "group_index: expected a contiguous int32 array"


@pytest.mark.parametrize(
    ("group", "states", "index", "counters", "error", "message"),
    [
        (["params"], [W], INDEX, [], TypeError, "groups: expected dicts with a list 'params'"),
        ({}, [W], INDEX, [], TypeError, "groups: expected dicts with a list 'params'"),
        ({"params": W}, [W], INDEX, [], TypeError, "groups: expected dicts with a list 'params'"),
        ({"params": [W]}, [], INDEX, [], ValueError, "states: expected an array for each parameter"),
        ({"params": [W]}, [zeros((6, 4))], [0], [], TypeError, WRONG_INDEX),
        ({"params": [W]}, [zeros((6, 4))], np.zeros(1, np.int64), [], TypeError, WRONG_INDEX),
        ({"params": [W]}, [zeros((6, 4))], np.zeros(4, np.int32)[::2], [], TypeError, WRONG_INDEX),
        ({"params": [W]}, [zeros((6, 4))], np.zeros(1, np.dtype("i4").newbyteorder()), [], TypeError, WRONG_INDEX),
        (
            {"params": [W]}, [zeros((6, 4))], np.zeros(2, np.int32), [],
            ValueError, "group_index: expected an index for each parameter",
        ),
        ({"params": [W]}, [zeros((6, 4))], INDEX, [zeros(1)], ValueError, "counters: expected 0, got 1"),
    ],
    ids=str,
)  # fmt: skip
def test_groups_of_other_forms(
    group: Any, states: Any, index: Any, counters: Any, error: type[Exception], message: str
) -> None:
    raises(error, message, lambda: plan_of(group, states, index, counters))


def test_other_groups_in_a_step() -> None:
    groups = [{"params": [normal(3)]}]
    plan = plan_of(groups[0], [zeros(3)], INDEX)
    others: list[Any] = [[], ["text"], [{"params": zeros(3)}], [{"params": []}], [{"params": [zeros(3)]}], 2 * groups]
    for other in others:
        assert plan.try_step(other, [normal(3)], None) == _core.STALE
    assert plan.try_step(groups, [normal(3)], None) == _core.DONE


@pytest.mark.parametrize(
    ("array", "value"),
    [(zeros(6)[::2], zeros(())), (zeros(6), zeros(2)), (zeros(6), np.zeros(()))],
    ids=["gaps", "two values", "other dtype"],
)
def test_memory_that_cannot_be_filled(array: Any, value: Any) -> None:
    message = "array: expected contiguous memory and a value of its dtype"
    raises(ValueError, message, lambda: _core.fill(array, value))


def test_negative_numbers_of_stored_elements() -> None:
    none = np.zeros(0, np.int64)
    assert _core.coordinate_elements((3,), (none,), -1) is None
    assert _core.coordinate_elements((), (), 0) is None
    assert _core.compressed_elements(none, none, 1, 1, -1, False) is None
    assert _core.compressed_elements(none, none, -1, 1, 0, False) is None


@pytest.mark.parametrize(
    ("counter", "got"),
    [
        (np.zeros((), np.float64), "float64 array of shape ()"),
        (zeros(1), "float32 array of shape (1,)"),
        (zeros((2, 0)), "float32 array of shape (2, 0)"),
        (read_only(zeros(())), "a read-only float32 array of shape ()"),
        (misaligned(zeros(())), "a misaligned float32 array of shape ()"),
    ],
)
def test_counters_of_another_form(counter: Any, got: str) -> None:
    plan = _core.Plan("torch", ROLES)
    message = f"counters[0]: expected a writeable float32 array of shape (), got {got}"
    raises(TypeError, message, lambda: plan.add_groups([{"params": [W]}], [zeros((6, 4))], [counter], [], INDEX))


class Options:
    """The part of an optimizer that the core calls."""

    def __init__(self, result: Callable[[], Any], check: Any = None) -> None:
        self.result, self._check_shared = result, check
        self._scheduled: dict[str, float] = {}
        self._last_scheduled: dict[str, float] = {}

    def _hyperparameters(self, index: int) -> Any:
        return self.result()


RIGHT = {"lr": 0.5, "lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10, "maximize": False, "decays_sparse": False}


def torch_plan(counter: Any, watched_keys: tuple[str, ...] = ()) -> tuple[Any, list[Any]]:
    groups: list[Any] = [{"params": [normal(3)]}]
    plan = _core.Plan("torch", ROLES, watched_keys)
    plan.add_groups(groups, [zeros(3)], [counter], [], INDEX)
    return plan, groups


def test_options_of_other_forms() -> None:
    plan, groups = torch_plan(zeros(()))
    step = partial(plan.try_step, groups, [normal(3, seed=2)])
    raises(TypeError, "_hyperparameters: expected a dict", lambda: step(Options(lambda: None)))
    raises(KeyError, "eps", lambda: step(Options(lambda: {"lr": 0.5, "lr_decay": 0.0, "weight_decay": 0.0})))
    with pytest.raises(AttributeError, match="_check_shared"):
        step(SimpleNamespace(_hyperparameters=lambda index: RIGHT, _scheduled={}))
    assert_same_bits(groups[0]["params"][0], normal(3))
    assert step(Options(lambda: RIGHT)) == _core.DONE


def half(*_: Any) -> float:
    return 0.5


def test_a_callable_option_is_a_schedule() -> None:
    plan, groups = torch_plan(zeros(()), ("lr",))
    calls: list[Any] = []

    def rate(*arguments: Any) -> float:
        calls.append(arguments)
        return 0.5

    def options() -> dict[str, Any]:
        calls.append("options")
        return {**RIGHT, "lr": rate}

    optimizer = Options(options)
    for watched in (half, half, rate):
        groups[0]["lr"] = watched
        assert plan.try_step(groups, [normal(3, seed=2)], optimizer) == _core.DONE
    assert calls == ["options", (optimizer, 0), (optimizer, 1), "options", (optimizer, 2)]


def test_values_of_schedules_are_kept_once_the_step_is_done() -> None:
    plan, groups = torch_plan(zeros(()), ("lr",))
    groups[0]["lr"] = half

    def rate(optimizer: Options, steps: int) -> float:
        optimizer._scheduled["lr"] = 0.5 + steps
        return 0.5

    optimizer = Options(lambda: {**RIGHT, "lr": rate})
    optimizer._scheduled["of a step that failed"] = 1.0
    skip = (1.0, None, 1.0, True)
    assert plan.try_step(groups, [np.full(3, np.inf, np.float32)], optimizer, skip) == _core.SKIPPED
    assert (optimizer._scheduled, optimizer._last_scheduled) == ({"lr": 0.5}, {})
    for last in (0.5, 1.5):
        assert plan.try_step(groups, [normal(3)], optimizer, skip) == _core.DONE
        assert optimizer._scheduled == optimizer._last_scheduled == {"lr": last}


def test_code_that_runs_where_values_of_schedules_are_kept() -> None:
    """Memory for them was allocated after the last check, where the garbage collector may run other code."""
    plan, groups = torch_plan(zeros(()), ("lr",))
    groups[0]["lr"] = half
    w = groups[0]["params"][0]

    class Changing(Options):
        @property
        def _last_scheduled(self) -> dict[str, float]:
            w.flags.writeable = False
            return {}

        @_last_scheduled.setter
        def _last_scheduled(self, values: dict[str, float]) -> None: ...

    optimizer = Changing(lambda: {**RIGHT, "lr": half})
    assert plan.try_step(groups, [normal(3, seed=2)], optimizer) == _core.STALE
    assert_same_bits(w, normal(3))


def test_a_schedule_that_fails() -> None:
    plan, groups = torch_plan(zeros(()), ("lr",))
    groups[0]["lr"] = half
    results: list[Any] = ["fast", np.zeros(2)]
    optimizer = Options(lambda: {**RIGHT, "lr": lambda *_: results[0]})
    step = partial(plan.try_step, groups, [normal(3, seed=2)], optimizer)
    raises(TypeError, "lr: expected a number or a 1-element array, got str", step)
    results.clear()
    raises(IndexError, "list index out of range", step)
    assert_same_bits(groups[0]["params"][0], normal(3))
    results.append(np.array([0.5]))
    assert step() == _core.DONE


def test_groups_that_vanish_while_options_are_read() -> None:
    plan, groups = torch_plan(zeros(()))

    def clear() -> dict[str, Any]:
        groups.clear()
        return RIGHT

    message = "param_groups: expected the same groups throughout a step"
    raises(IndexError, message, lambda: plan.try_step(groups, [normal(3)], Options(clear)))


@pytest.mark.parametrize("steps", [np.inf, -np.inf, np.nan, 1.5, -2.0, -(2.0**100)])
def test_steps_that_are_no_number(steps: float) -> None:
    plan, groups = torch_plan(np.array(steps, np.float32))
    message = f"counters[0]: expected a whole number of steps, got {steps}"
    raises(ValueError, message, lambda: plan.try_step(groups, [normal(3)], Options(lambda: RIGHT)))


def test_a_plan_without_groups_takes_no_step() -> None:
    """A counter that all parameters share comes with the first ones."""
    plan = _core.Plan("mindspore", ("params", "accum", "grads", "global_step"))
    assert plan.step([], [], None) == _core.STALE


def test_a_dtype_of_others_before_ml_dtypes_is_imported() -> None:
    """NumPy's own tests have one. No number of a dtype is known for bfloat16 yet."""
    lines = [
        "import sys, importlib, numpy as np",
        "core = 'numpy._core' if np.__version__ >= '2' else 'numpy.core'",
        "rational = importlib.import_module(f'{core}._rational_tests').rational",
        "from numpy_adagrad import _core",
        "assert 'ml_dtypes' not in sys.modules",
        "try: _core.check_array(np.zeros(3, rational), 'w')",
        "except TypeError as error: print(error)",
    ]
    expected = "expected a floating-point dtype up to float64 or complex128, got rational"
    assert succeed("-c", "\n".join(lines)) == f"w: {expected}\n"
