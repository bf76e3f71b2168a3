"""Ctrl-C at any moment: a call takes effect as a whole or not at all, and the optimizer still works."""

import copy
import gc
import itertools
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.effort import times
from helpers.interpreters import program
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer

ROUNDS = times(200, 1000)
PARAMETERS = 16


def draw_all(seed: int, size: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(size).astype(np.float32) for _ in range(PARAMETERS)]


@pytest.fixture(autouse=True)
def _alarm_as_interrupt() -> Iterator[None]:
    """An alarm at a chosen moment acts as SIGINT does.

    No garbage is collected meanwhile: Python forgets an interrupt that falls into the finalizer of any object.
    """
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def until_interrupted(call: Callable[[], object], seconds: float) -> None:
    """Call again and again until the interrupt, which comes after `seconds` seconds."""

    def repeat() -> None:
        end = perf_counter() + 20
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while perf_counter() < end:
            call()

    with pytest.raises(KeyboardInterrupt):
        repeat()


def duration(call: Callable[[], object]) -> float:
    """The longest of ten calls: the first step makes a plan, and must sometimes be done before an interrupt."""
    seconds = []
    for _ in range(10):
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return max(seconds)


def arrays(dialect: Dialect, optimizer: Optimizer) -> list[Array]:
    params = [param for group in optimizer.param_groups for param in group["params"]]
    return [*params, *dialect.accumulators(optimizer)]


@pytest.mark.parametrize("size", [50, 20_000])
def test_steps(dialect: Dialect, size: int) -> None:
    """All counters agree, and parameters and accumulators are those of as many undisturbed steps."""
    params, grads = draw_all(1, size), draw_all(2, size)
    optimizer, undisturbed, trial = (dialect.optimizer([param.copy() for param in params]) for _ in range(3))
    seconds, chance, taken = duration(lambda: trial.step(grads)), random.Random(3), 0
    for _ in range(ROUNDS):
        until_interrupted(lambda: optimizer.step(grads), 1e-6 + 3 * seconds * chance.random())
        (steps,) = set(dialect.steps(optimizer))
        for _ in range(taken, steps):
            undisturbed.step(grads)
        taken = steps
        for array, expected in zip(*(arrays(dialect, one) for one in (optimizer, undisturbed)), strict=True):
            assert_same_bits(array, expected, f"after {steps} steps")
    assert taken > 0


def loadable(dialect: Dialect, optimizer: Optimizer) -> Any:
    """All that loading a state dict sets."""
    held = contents(optimizer)
    return held["state"], held["counters"], [float(group[dialect.group_rate]) for group in optimizer.param_groups]


@pytest.mark.parametrize("size", [50, 20_000])
def test_loads(dialect: Dialect, size: int) -> None:
    """Of two state dicts in turn, one is loaded as a whole: accumulators, counters and the rates of all groups."""
    saved, known = [], []
    for steps, rate in enumerate((0.5, 0.25), 1):
        source = dialect.optimizer([{"params": [param], dialect.group_rate: rate} for param in draw_all(1, size)])
        for _ in range(steps):
            source.step(draw_all(steps, size))
        saved.append(copy.deepcopy(source.state_dict()))
        known.append(loadable(dialect, source))
    optimizer = dialect.optimizer([{"params": [param], dialect.group_rate: 0.5} for param in draw_all(1, size)])
    optimizer.load_state_dict(saved[0])
    seconds, chance = duration(lambda: optimizer.load_state_dict(saved[0])), random.Random(4)
    turns, seen = itertools.cycle(saved), []
    for _ in range(ROUNDS):
        until_interrupted(lambda: optimizer.load_state_dict(next(turns)), 1e-6 + 3 * seconds * chance.random())
        seen.append(known.index(loadable(dialect, optimizer)))
    assert set(seen) == {0, 1}


# After an interrupt right behind the opening of the file, Python closes the file and warns of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_checkpoints(dialect: Dialect, tmp_path: Path) -> None:
    """Of two checkpoints in turn, one is loaded as a whole, parameters included."""
    paths, known = [tmp_path / name for name in "ab"], []
    for value, path in enumerate(paths, 1):
        source = dialect.optimizer(
            [{"params": [param], dialect.group_rate: 0.5 / value} for param in draw_all(value, 2_000)]
        )
        source.step(draw_all(value, 2_000))
        source.save(path, parameters=True)
        known.append(contents(source))
    optimizer = dialect.optimizer([{"params": [param], dialect.group_rate: 0.5} for param in draw_all(1, 2_000)])
    seconds, chance = duration(lambda: optimizer.load(paths[0], parameters=True)), random.Random(8)
    turns, seen = itertools.cycle(paths), []
    for _ in range(ROUNDS):
        wait = 1e-6 + 3 * seconds * chance.random()
        until_interrupted(lambda: optimizer.load(next(turns), parameters=True), wait)
        seen.append(known.index(contents(optimizer)))
    assert set(seen) == {0, 1}


def test_added_groups(dialect: Dialect) -> None:
    """A group is there with its state, or is not there at all."""
    optimizer, trial = (dialect.optimizer([{"params": [np.ones(3)]}]) for _ in range(2))
    seconds, chance = duration(lambda: trial.add_param_group({"params": [np.ones(3)]})), random.Random(5)
    for _ in range(ROUNDS):
        wait = 1e-6 + 3 * seconds * chance.random()
        until_interrupted(lambda: optimizer.add_param_group({"params": [np.ones(3)]}), wait)
        assert len(optimizer.param_groups) == len(optimizer.state)
        grads = [np.ones(3) for _ in optimizer.param_groups]
        optimizer.step(grads)
    first, *others = (group["params"][0] for group in optimizer.param_groups)
    assert len(others) > 0
    assert all(np.all(param < 1) for param in others)
    assert np.all(first < 1)


def test_no_interrupt_is_lost_while_optimizers_come_and_go(dialect: Dialect) -> None:
    """Python forgets an interrupt that falls into bytecode run for a dying object."""
    chance = random.Random(7)
    for _ in range(5 * ROUNDS):
        until_interrupted(lambda: dialect.optimizer([np.ones(3)]), 1e-6 + 1e-4 * chance.random())


def test_a_closure_that_is_interrupted(dialect: Dialect) -> None:
    optimizer = dialect.optimizer([np.ones(3)])
    before = contents(optimizer)

    def closure() -> Any:
        signal.setitimer(signal.ITIMER_REAL, 1e-3)
        sleep(60)

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure=closure)
    assert contents(optimizer) == before
    optimizer.step([np.ones(3)])


def test_sigint_itself_from_another_thread(dialect: Dialect) -> None:
    """In its own process: once MindSpore has run something, SIGINT ends a process."""
    assert program("sigint", dialect) == "50 True True\n"
