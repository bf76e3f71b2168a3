"""Prints how much of the time each of five workers runs, in percent, while steps need only the first one."""

import os
import time

import numpy as np
from numpy_adagrad import TorchAdagrad

TASKS = "/proc/self/task"


def threads() -> set[int]:
    return set(map(int, os.listdir(TASKS)))


def seconds(thread: int) -> float:
    with open(f"{TASKS}/{thread}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


before = threads()
large, small = np.zeros(300_000, np.float32), np.zeros(40_000, np.float32)
TorchAdagrad([large]).step([large.copy()])
optimizer, grads = TorchAdagrad([small]), [np.ones_like(small)]
workers = sorted(threads() - before)
at_first, end = [seconds(worker) for worker in workers], time.perf_counter() + 2
while time.perf_counter() < end:
    optimizer.step(grads)
print(*(f"{(seconds(worker) - first) * 50:.0f}" for worker, first in zip(workers, at_first, strict=True)))
