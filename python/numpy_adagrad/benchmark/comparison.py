"""The comparison of candidates on one workload, interleaved in one process.

The speed of a machine drifts by more than the differences to be measured. The drift within a round affects all
candidates alike, so we compare ratios within rounds and report their median.
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
from .candidates import Step

BLOCK_SECONDS = 5e-3
# A round counts if other processes use less than this share of a processor. A single busy process makes every parallel
# step, the package's and torch's, wait for whole time slices of the scheduler.
IDLE_SHARE = 0.15
MAX_RETRIES = 4  # for each round
# After this time a workload whose rounds take seconds may stop with MIN_ROUNDS.
MAX_SECONDS = 40.0
MIN_ROUNDS = 7
PROC_STAT = Path("/proc/stat")


class Round(NamedTuple):
    """The seconds of one step of each candidate, and whether the machine was otherwise idle."""

    seconds: dict[str, float]
    idle: bool


class Comparison:
    """Candidates on one workload, and the errors in the results of their first steps.

    A candidate whose library is installed, but cannot be imported, is not timed; its error says so.

    Parameters
    ----------
    names : sequence of str
        The candidates.
    start : callable
        Called with a name; makes a step, takes the first steps, and returns the step and the updated parameters.
    find_errors : callable
        Called with a name and the updated parameters; returns messages.
    references : mapping, optional
        For each name the candidate that must compute the same bits. A reference that does not take part is ignored.
    """

    def __init__(
        self,
        names: Sequence[str],
        start: Callable[[str], tuple[Step, list[Array]]],
        find_errors: Callable[[str, list[Array]], list[str]],
        references: Mapping[str, str] | None = None,
    ) -> None:
        self.steps: dict[str, Step] = {}
        self.errors: dict[str, list[str]] = {}
        bits = {}
        for name in names:
            try:
                self.steps[name], params = start(name)
            except ImportError as error:  # of numba, for example, in an environment whose NumPy is too new for it
                self.errors[name] = [f"left out, as it cannot be imported: {error}"]
                continue
            self.errors[name] = find_errors(name, params)
            bits[name] = digest(params)
        for name, reference in (references or {}).items():
            if {name, reference} <= bits.keys() and bits[name] != bits[reference]:
                self.errors[name].append(f"the bits differ from those of {reference}")

    def rounds(self, names: Sequence[str] | None = None) -> Iterator[Round]:
        """Time all candidates, or those named, in each round; there is no last round."""
        blocks = {name: Block(self.steps[name]) for name in names or self.steps}
        order = list(blocks)
        shuffle = random.Random(0).shuffle
        while True:
            # In a fixed order each candidate would always follow the same one.
            shuffle(order)
            others, start = others_seconds(), time.perf_counter()
            seconds = {name: blocks[name].time() for name in order}
            idle = others_seconds() - others < IDLE_SHARE * (time.perf_counter() - start)
            yield Round({name: seconds[name] for name in blocks}, idle)

    def run(self, rounds: int, names: Sequence[str] | None = None) -> list[Round]:
        """Run until the given number of rounds count.

        A slow workload stops with fewer rounds when its time is over. On a busy machine the number of retries and the
        time are limited.
        """
        done: list[Round] = []
        start = time.perf_counter()
        attempts = 1 + MAX_RETRIES
        for one in self.rounds(names):
            done.append(one)
            idle = sum(each.idle for each in done)
            spent = (time.perf_counter() - start) / MAX_SECONDS
            if idle >= rounds or len(done) >= attempts * rounds or spent >= (1 if idle >= MIN_ROUNDS else attempts):
                break
        return done


class Block:
    """A number of steps that takes long compared with the resolution of the timer."""

    def __init__(self, step: Step) -> None:
        self.timer = timeit.Timer(step.run)
        self.repeats = 1

    def time(self) -> float:
        """Return the seconds of one step."""
        # The untimed block before the timed one is as long on purpose. It fills the caches, and meanwhile the threads
        # of the previous candidate's OpenMP runtime, which spin after their work, fall asleep. A pause of 10 ms instead
        # of it, or in addition, only made small steps noisier: an idle processor slows down.
        while self.timer.timeit(self.repeats) < BLOCK_SECONDS:
            self.repeats *= 2
        seconds = self.timer.timeit(self.repeats) / self.repeats
        # If the machine becomes busy meanwhile, steps of microseconds take milliseconds.
        if seconds * self.repeats > 10 * BLOCK_SECONDS:
            self.repeats = max(1, int(BLOCK_SECONDS / seconds))
        return seconds


def others_seconds() -> float:
    """Return the processor time used by other processes and other virtual machines. Without /proc/stat it is 0."""
    if not PROC_STAT.exists():
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, PROC_STAT.read_text().split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()


def digest(arrays: list[Array]) -> bytes:
    """Return a hash of the bits of arrays."""
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(array.reshape(-1).view(np.uint8).data)
    return hashed.digest()
