"""Candidates against each other on one workload, in one process and in turns.

The machine's speed drifts by more than what is to be measured. What happens within a round hits everyone
alike, so it is the ratios within rounds that mean something, and their median over rounds.
"""

import os
import random
import time
import timeit
from pathlib import Path

import numpy as np

from .candidates import ACCUM, CANDIDATES, LR, MINDSPORE_EPS
from .workloads import WORKLOADS, random_arrays

CHECKED_STEPS = 3
BLOCK_SECONDS = 5e-3
# What others may take of a processor in a round that counts. One busy process makes every parallel step, the
# package's and torch's, wait for whole slices of the scheduler.
QUIET = 0.15
PATIENCE = 5
PROC_STAT = Path("/proc/stat")


class Race:
    def __init__(self, workload):
        shapes = WORKLOADS[workload]
        self.starts = random_arrays(shapes, seed=1)
        self.grads = random_arrays(shapes, seed=2)
        self.steps = {}
        self.answers = {}
        params = [np.empty_like(start) for start in self.starts]
        for name, make in CANDIDATES.items():
            for p, start in zip(params, self.starts, strict=True):
                p[...] = start
            step = self.steps[name] = make(params, self.grads)
            for _ in range(CHECKED_STEPS):
                step()
            self.answers[name] = joined(params)

    def check(self, name):
        """Asserts where the first steps, before any was timed, took the parameters."""
        answer = self.answers[name]
        if name == "floor":
            assert_same_bits(answer, self._expected(floor_answer))
        elif name == "MindSporeAdagrad":
            assert_same_bits(answer, self._expected(mindspore_answer))
        elif name == "TorchAdagrad":
            assert_same_bits(answer, self.answers["torch-fused"])
        else:
            # torch's other implementations and NumPy round in other places than its fused one.
            np.testing.assert_allclose(answer, self.answers["torch-fused"], rtol=1e-6, atol=1e-6)

    def _expected(self, answer):
        return joined([answer(p, g) for p, g in zip(self.starts, self.grads, strict=True)])

    def run(self, rounds):
        """For each candidate the seconds of one step in each round, and for each round whether it counts.

        Goes on until as many rounds as asked for count, unless the machine is busy for too long.
        """
        blocks = {name: Block(step) for name, step in self.steps.items()}
        times = {name: [] for name in blocks}
        order = list(blocks)
        shuffle = random.Random(0).shuffle
        quiet = []
        while sum(quiet) < rounds and len(quiet) < PATIENCE * rounds:
            # Rotation would give every candidate the same predecessor each time.
            shuffle(order)
            others, start = others_seconds(), time.perf_counter()
            for name in order:
                times[name].append(blocks[name].time())
            quiet.append(others_seconds() - others < QUIET * (time.perf_counter() - start))
        return times, quiet


class Block:
    """As many steps as take long against the timer's resolution."""

    def __init__(self, step):
        self.timer = timeit.Timer(step)
        self.repeats = 1

    def time(self):
        # The untimed block before the timed one is as long on purpose: in it the caches fill, and the threads
        # of the predecessor's OpenMP runtime, which spin on after their work, fall asleep. Sleeping for 10 ms
        # instead, or as well, only made small steps noisier: the processor slows down when idle.
        while self.timer.timeit(self.repeats) < BLOCK_SECONDS:
            self.repeats *= 2
        return self.timer.timeit(self.repeats) / self.repeats


def others_seconds():
    """Processor time taken by other processes and other virtual machines; Linux only, elsewhere nothing."""
    if not PROC_STAT.exists():
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, PROC_STAT.read_text().split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()


def joined(arrays):
    return np.concatenate([array.reshape(-1) for array in arrays])


def assert_same_bits(answer, expected):
    np.testing.assert_array_equal(answer.view(np.uint32), expected.view(np.uint32))


def floor_answer(p, g):
    for _ in range(CHECKED_STEPS):
        p = p - g
    return p


def mindspore_answer(p, g):
    s = np.full_like(p, ACCUM)
    for _ in range(CHECKED_STEPS):
        s = s + g * g
        p = p - np.float32(LR) * g * (np.float32(1) / np.sqrt(s + MINDSPORE_EPS))
    return p
