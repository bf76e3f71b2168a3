"""Forks in one of several situations. Prints whether the children's steps and the parent's had the right bits, and
how many threads the parent's steps may take.

`python tests/programs/fork.py CASE RULE`
"""

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import numpy_adagrad
from helpers.dialects import DIALECTS
from helpers.effort import times
from helpers.values import normal
from numpy_adagrad.inputs.types import Array

Outcome: TypeAlias = tuple[bool, bool]
SIZES = (7, 300_000)


def threads() -> int:
    return int(numpy_adagrad.show_config()["threads"])


def in_child(call: Callable[[], bool]) -> bool:
    """Whether a forked child returns True from the call, within 20 seconds."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(42 if call() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42


class Run:
    """Equal optimizers of one rule, and the parameters that they must have after some steps."""

    def __init__(self, rule: str) -> None:
        self.dialect = DIALECTS[rule]
        self.grads = [normal(size, seed=2) for size in SIZES]
        self.expected = [self.after(steps) for steps in range(4)]  # this also starts the threads

    def make(self) -> Any:
        return self.dialect.make([normal(size) for size in SIZES])

    def step(self, optimizer: Any) -> None:
        optimizer.step(self.grads)

    def after(self, steps: int) -> bytes:
        optimizer = self.make()
        for _ in range(steps):
            self.step(optimizer)
        return values(optimizer)

    def has_taken(self, optimizer: Any, steps: int) -> bool:
        return values(optimizer) == self.expected[steps]

    def step_gives(self, optimizer: Any, steps: int) -> bool:
        """Whether one more step is the step of that number."""
        self.step(optimizer)
        return self.has_taken(optimizer, steps)


def values(optimizer: Any) -> bytes:
    params: list[Array] = optimizer.param_groups[0]["params"]
    return b"".join(param.tobytes() for param in params)


def child_steps_and_parent_goes_on(run: Run) -> Outcome:
    optimizer = run.make()
    run.step(optimizer)
    good = all(in_child(lambda: run.step_gives(optimizer, 2) and threads() == 1) for _ in range(times(20, 100)))
    return good, run.step_gives(optimizer, 2)


def child_makes_an_optimizer_and_so_does_its_child(run: Run) -> Outcome:
    def step() -> bool:
        return run.after(3) == run.expected[3]

    return all(in_child(lambda: step() and in_child(step)) for _ in range(times(5, 100))), step()


def multiprocessing_with_fork(run: Run) -> Outcome:
    optimizer, good = run.make(), []

    def step(connection: "Connection[bool, bool]") -> None:
        signal.alarm(20)
        connection.send(run.step_gives(optimizer, 1))

    for _ in range(times(5, 100)):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=step, args=(theirs,))
        process.start()
        good.append(ours.poll(30) and ours.recv())
        process.join(30)
    return good == [True] * times(5, 100), process.exitcode == 0


def another_thread_is_in_a_step(run: Run) -> Outcome:
    optimizer, entered, leave = run.make(), threading.Event(), threading.Event()

    def closure() -> tuple[int, list[Array]]:
        entered.set()
        leave.wait(60)
        return 0, run.grads

    other = threading.Thread(target=lambda: optimizer.step(closure=closure))
    other.start()
    entered.wait(30)

    def step() -> bool:
        run.step(optimizer)
        optimizer.load_state_dict(optimizer.state_dict())
        return run.step_gives(optimizer, 2)

    good = all(in_child(step) for _ in range(times(5, 100)))
    leave.set()
    other.join(60)
    return good, run.has_taken(optimizer, 1)


def forks_while_other_threads_step(run: Run) -> Outcome:
    stop, optimizers = threading.Event(), [run.make() for _ in range(2)]

    def go_on(optimizer: Any) -> None:
        while not stop.is_set():
            run.step(optimizer)

    others = [threading.Thread(target=go_on, args=(optimizer,)) for optimizer in optimizers]
    for other in others:
        other.start()

    def step() -> bool:
        for optimizer in optimizers:
            run.step(optimizer)
        return run.after(2) == run.expected[2]

    good = all(in_child(step) for _ in range(times(20, 100)))
    stop.set()
    for other in others:
        other.join(60)
    return good, run.after(3) == run.expected[3]


def a_thread_forks(run: Run) -> Outcome:
    results = []

    def fork() -> None:
        optimizer = run.make()
        run.step(optimizer)
        results.append(all(in_child(partial(run.step_gives, optimizer, 2)) for _ in range(times(5, 100))))

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join(100)
    return results == [True], run.after(1) == run.expected[1]


CASES = [
    child_steps_and_parent_goes_on,
    child_makes_an_optimizer_and_so_does_its_child,
    multiprocessing_with_fork,
    another_thread_is_in_a_step,
    forks_while_other_threads_step,
    a_thread_forks,
]

if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: the process that forks has threads
    (case,) = (case for case in CASES if case.__name__ == sys.argv[1])
    print(*case(Run(sys.argv[2])), threads())
