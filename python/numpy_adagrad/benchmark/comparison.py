"""Candidates against each other on one workload, in one process and in turns.

The machine's speed drifts by more than what is to be measured. What happens within a round hits everyone
alike, so it is the ratios within rounds that mean something, and their median over rounds.
"""

import hashlib
import os
import random
import time
import timeit
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..inputs.types import Array
from .answers import CHECKED_STEPS, Answers
from .candidates import CANDIDATES
from .workloads import Workload, random_arrays

BLOCK_SECONDS = 5e-3
# What others may take of a processor in a round that counts. One busy process makes every parallel step, the
# package's and torch's, wait for whole slices of the scheduler.
QUIET = 0.15
PATIENCE = 5
# After so long a workload of seconds a round is content with fewer rounds.
SECONDS = 40.0
ENOUGH = 7
PROC_STAT = Path("/proc/stat")

Step = Callable[[], object]


class Round(NamedTuple):
    """For each candidate the seconds of one step, and whether the machine was quiet meanwhile."""

    seconds: dict[str, float]
    quiet: bool


class Race:
    """The named candidates, ready to step, and what is wrong with where their first steps led.

    `begin` makes a step, takes the first ones and returns where they led; `twins` must have equal bits there.
    """

    def __init__(
        self,
        names: Sequence[str],
        begin: Callable[[str], tuple[Step, list[Array]]],
        complaints: Callable[[str, list[Array]], list[str]],
        twins: Mapping[str, str] | None = None,
    ) -> None:
        self.steps: dict[str, Step] = {}
        self.complaints: dict[str, list[str]] = {}
        bits = {}
        for name in names:
            self.steps[name], moved = begin(name)
            self.complaints[name] = complaints(name, moved)
            bits[name] = digest(moved)
        for name, twin in (twins or {}).items():
            if twin in bits and bits[name] != bits[twin]:
                self.complaints[name].append(f"other bits than {twin}")

    def rounds(self, names: Sequence[str] | None = None) -> Iterator[Round]:
        """Let everyone, or those named, step in turns, for as many rounds as are asked for."""
        blocks = {name: Block(self.steps[name]) for name in names or self.steps}
        order = list(blocks)
        shuffle = random.Random(0).shuffle
        while True:
            # Rotation would give every candidate the same predecessor each time.
            shuffle(order)
            others, start = others_seconds(), time.perf_counter()
            seconds = {name: blocks[name].time() for name in order}
            quiet = others_seconds() - others < QUIET * (time.perf_counter() - start)
            yield Round({name: seconds[name] for name in blocks}, quiet)

    def run(self, rounds: int, names: Sequence[str] | None = None) -> list[Round]:
        """Go on until as many rounds as asked for count.

        Large workloads stop at fewer when their time is over, and a busy machine is not waited for without end.
        """
        done: list[Round] = []
        start = time.perf_counter()
        for one in self.rounds(names):
            done.append(one)
            quiet = sum(each.quiet for each in done)
            spent = (time.perf_counter() - start) / SECONDS
            if quiet >= rounds or len(done) >= PATIENCE * rounds or spent >= (1 if quiet >= ENOUGH else PATIENCE):
                break
        return done


def dense_race(workload: Workload, names: Sequence[str]) -> Race:
    """A race with a gradient for every element."""
    starts, grads = random_arrays(workload, seed=1), random_arrays(workload, seed=2)
    params = [np.empty_like(start) for start in starts]

    def begin(name: str) -> tuple[Step, list[Array]]:
        for p, start in zip(params, starts, strict=True):
            p[...] = start
        step, own_params = CANDIDATES[name].make(workload, params, grads)
        for _ in range(CHECKED_STEPS):
            step()
        return step, own_params() if own_params else params

    # Clipped gradients are rounded in other places; without clipping the bits are the same.
    twins = {name: CANDIDATES[name].twin for name in names} if workload.max_norm is None else {}
    return Race(names, begin, Answers(workload, starts, grads).complaints, twins)


class Block:
    """As many steps as take long against the timer's resolution."""

    def __init__(self, step: Step) -> None:
        self.timer = timeit.Timer(step)
        self.repeats = 1

    def time(self) -> float:
        # The untimed block before the timed one is as long on purpose: in it the caches fill, and the threads
        # of the predecessor's OpenMP runtime, which spin on after their work, fall asleep. Sleeping for 10 ms
        # instead, or as well, only made small steps noisier: the processor slows down when idle.
        while self.timer.timeit(self.repeats) < BLOCK_SECONDS:
            self.repeats *= 2
        seconds = self.timer.timeit(self.repeats) / self.repeats
        # A machine that has become busy meanwhile makes steps of microseconds take milliseconds.
        if seconds * self.repeats > 10 * BLOCK_SECONDS:
            self.repeats = max(1, int(BLOCK_SECONDS / seconds))
        return seconds


def others_seconds() -> float:
    """Processor time taken by other processes and other virtual machines; Linux only, elsewhere nothing."""
    if not PROC_STAT.exists():
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, PROC_STAT.read_text().split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()


def digest(arrays: list[Array]) -> bytes:
    """Equal for equal bits."""
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(array.reshape(-1).view(np.uint8).data)
    return hashed.digest()
