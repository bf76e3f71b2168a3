"""Steps in which the n-th allocation of the core fails, in a new optimizer or one that has stepped before.

Prints whether something failed, whether it left everything unchanged, and whether the step after it and one with
other gradients were right.

`python tests/programs/failed_allocation.py LIBRARY RULE OPTIONS`, with LIBRARY preloaded
"""

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from helpers.contents import contents
from helpers.dialects import DIALECTS
from helpers.values import normal
from numpy_adagrad import RowSparse, _core

library, dialect, options = ctypes.CDLL(sys.argv[1]), DIALECTS[sys.argv[2]], json.loads(sys.argv[3])
library.arm.argtypes, library.disarm.restype = [ctypes.c_long], ctypes.c_long
library.set_range.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(_core.__file__)]
library.set_range(int(lines[0].split("-")[0], 16), int(lines[-1].split()[0].split("-")[1], 16))

rng = np.random.default_rng(0)
INDICES = rng.integers(0, 3000, 6000)
VALUES, DENSE, STRIDED = normal(6000, 16, seed=4), normal(50_000, seed=5), normal(60_000, seed=6)[::2]
OTHER = [RowSparse(INDICES[:10].copy(), VALUES[:10].copy()), STRIDED[:25_000].repeat(2), DENSE[:30_000].copy()]
GRADS = [RowSparse(INDICES, VALUES), DENSE, STRIDED]


def make(steps: int) -> Any:
    optimizer = dialect.make([normal(3000, 16), normal(50_000), normal(30_000)])
    for _ in range(steps):
        optimizer.step(OTHER)
    return optimizer


def try_step(optimizer: Any, grads: list[Any], n: int) -> tuple[bool, bool]:
    """Whether the n-th allocation was reached, and whether the step was done."""
    library.arm(n)
    try:
        optimizer.step(grads, **options)
    except MemoryError:
        done = False
    else:
        done = True
    return library.disarm() > n, done


failures, unchanged, right = 0, True, True
for steps in (0, 1):
    expected = make(steps)
    expected.step(GRADS, **options)
    after_one = contents(expected)
    expected.step(OTHER, **options)
    after_two = contents(expected)
    for n in range(1000):
        optimizer = make(steps)
        before = contents(optimizer)
        reached, done = try_step(optimizer, GRADS, n)
        if not reached:
            break
        failures += 1
        if not done:
            unchanged = unchanged and contents(optimizer) == before
            optimizer.step(GRADS, **options)
        right = right and contents(optimizer) == after_one
        reached, done = try_step(optimizer, OTHER, n % 20)
        if not done:
            unchanged = unchanged and contents(optimizer) == after_one
            optimizer.step(OTHER, **options)
        right = right and contents(optimizer) == after_two
print(failures > 5, unchanged, right)
