"""Candidates against each other on one workload, in one process and in turns.

The machine's speed drifts by more than what is to be measured. What happens within a round hits everyone
alike, so it is the ratios within rounds that mean something, and their median over rounds.
"""

import hashlib
import os
import random
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..parameters import Array
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


class Round(NamedTuple):
    """For each candidate the seconds of one step, and whether the machine was quiet meanwhile."""

    seconds: dict[str, float]
    quiet: bool


class Race:
    """The named candidates, ready to step, and what is wrong with where their first steps led."""

    def __init__(self, workload: Workload, names: Sequence[str]) -> None:
        starts = random_arrays(workload, seed=1)
        grads = random_arrays(workload, seed=2)
        answers = Answers(workload, starts, grads)
        params = [np.empty_like(start) for start in starts]
        self.steps: dict[str, Callable[[], object]] = {}
        self.complaints: dict[str, list[str]] = {}
        bits = {}
        for name in names:
            for p, start in zip(params, starts, strict=True):
                p[...] = start
            step, own_params = CANDIDATES[name].make(workload, params, grads)
            for _ in range(CHECKED_STEPS):
                step()
            moved = own_params() if own_params else params
            self.steps[name] = step
            self.complaints[name] = answers.complaints(name, moved)
            bits[name] = digest(moved)
        for name in names:
            twin = CANDIDATES[name].twin
            # Clipped gradients are rounded in other places; without clipping the bits are the same.
            if twin in bits and workload.max_norm is None and bits[name] != bits[twin]:
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


class Block:
    """As many steps as take long against the timer's resolution."""

    def __init__(self, step: Callable[[], object]) -> None:
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
