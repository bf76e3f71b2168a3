"""Threads: how many a step takes, that it releases the GIL, and that two threads may step at once."""

import threading
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import pytest
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.interpreters import program
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_another_thread_counts_on_during_a_step(dialect: Dialect, kind: str) -> None:
    """At 80 % or better of its rate while the first does something that takes a processor but no GIL.

    The median of several tries counts, as other processes may want the processors; if they do for longer, one of three
    medians. A thread that waited for the GIL would be slow in each.
    """
    for _ in range(3):
        lines = program("counting", dialect, kind, OMP_NUM_THREADS="1", NUMPY_ADAGRAD_ISA="baseline").splitlines()
        tries = [tuple(map(float, line.split())) for line in lines]
        pace = median(ratio for ratio, _ in tries)
        if pace >= 0.8:
            break
    assert pace >= 0.8
    assert min(seconds for _, seconds in tries) > 0.03  # many times longer than a thread may keep the GIL


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_the_environment_sets_the_number_of_threads(dialect: Dialect, limit: int) -> None:
    """At the start of the process. A team consists of the thread that steps and those that it starts."""
    printed = program("team_size", dialect, 1_000_000, OMP_NUM_THREADS=str(limit), OPENBLAS_NUM_THREADS="1")
    assert printed == f"{limit} {limit - 1}\n{limit}\n"


def test_small_steps_stay_in_their_thread(dialect: Dialect) -> None:
    printed = program("team_size", dialect, 1_000, OMP_NUM_THREADS="3", OPENBLAS_NUM_THREADS="1")
    assert printed == "3 0\n3\n"


def test_workers_that_a_step_does_not_need_go_on_sleeping() -> None:
    """One of five is needed, and it spins between the steps."""
    _, *others = map(int, program("idle_workers", OMP_NUM_THREADS="6", OPENBLAS_NUM_THREADS="1").split())
    assert len(others) == 4
    assert max(others) <= 2


def test_threadpoolctl_limits_the_calling_thread(dialect: Dialect) -> None:
    printed = program("threadpoolctl_limits", dialect, OMP_NUM_THREADS="3", OPENBLAS_NUM_THREADS="1")
    assert printed == "(1, 0) 3 (2, 1) (3, 2)\n"


def test_groups_change_while_other_threads_step(dialect: Dialect) -> None:
    """No step is lost, none fails: also without a GIL, where this ran for minutes."""
    shown, taken, errors = program("busy_threads", dialect, 2).split(maxsplit=2)
    assert float(shown) == int(taken) > 100
    assert errors == "[]\n"


def draw_all(seed: int, sizes: tuple[int, ...] = (7, 300_000)) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(size).astype(np.float32) for size in sizes]


def run_at_once(*calls: Callable[[], None]) -> None:
    """Call each in its own thread, all from the same moment."""
    start, failures = threading.Barrier(len(calls)), []

    def body(call: Callable[[], None]) -> None:
        start.wait(30)
        try:
            call()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=body, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (failures, [thread for thread in threads if thread.is_alive()]) == ([], [])


def repeated(optimizer: Optimizer, grads: list[Array], times: int) -> None:
    for _ in range(times):
        optimizer.step(grads)


def test_two_optimizers_at_once(dialect: Dialect) -> None:
    pairs = [
        (dialect.optimizer(draw_all(seed)), dialect.optimizer(draw_all(seed)), draw_all(10 + seed)) for seed in range(4)
    ]
    run_at_once(*(partial(repeated, ours, grads, 40) for ours, _, grads in pairs))
    for ours, alone, grads in pairs:
        repeated(alone, grads, 40)
        assert contents(ours) == contents(alone)


@pytest.mark.parametrize("sizes", [(7,), (7, 100_000)])
def test_one_optimizer_in_turn(dialect: Dialect, sizes: tuple[int, ...]) -> None:
    """With equal gradients it does not matter whose turn it is."""
    ours, alone, grads = (
        dialect.optimizer(draw_all(1, sizes)),
        dialect.optimizer(draw_all(1, sizes)),
        draw_all(2, sizes),
    )
    run_at_once(*(partial(repeated, ours, grads, 50) for _ in range(4)))
    repeated(alone, grads, 200)
    assert contents(ours) == contents(alone)
