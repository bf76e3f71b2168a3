"""Throw arbitrary and hostile objects at every public entry point: only documented exceptions may come back.

Meanwhile another thread changes what it can reach. Prints the number of calls and how they ended; ends with an error at
the first exception that is not documented. A crash or a hang ends it too.

`PYTHONPATH=tests python tests/reliability/hostile_objects.py [CALLS [SEED]]`
"""

import faulthandler
import os
import random
import sys
import tempfile
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from reliability.hostile.calls import CALLS, attributes, schedule
from reliability.hostile.objects import Meddler, OwnError

# What the docstrings name. OSError: files; ImportError: frameworks that are not installed.
DOCUMENTED = (
    TypeError, ValueError, KeyError, IndexError, RuntimeError, FloatingPointError, OSError, ImportError, MemoryError,
    OwnError,
)  # fmt: skip
PATIENCE = 60


def disturb(meddler: Meddler, stop: threading.Event) -> None:
    """Change numbers and options from another thread. No array is resized here: NumPy itself forbids that."""
    chance = random.Random(0)
    while not stop.wait(0.0005):
        try:
            for array in list(meddler.arrays):
                if array.size:
                    array.flat[0] = chance.random()
            for group in list(getattr(meddler.optimizer, "param_groups", ())):
                group["lr"] = chance.choice([0.1, 0.2, lambda step: 0.1])
        except Exception:
            pass


def is_documented(call: Callable[[Meddler], Any], error: BaseException) -> bool:
    if isinstance(error, AttributeError):
        # Assignments that have no effect raise it, and objects that pretend to be of another class. Others' code may.
        frames = traceback.extract_tb(error.__traceback__)
        is_ours = any("numpy_adagrad" in frame.filename for frame in frames)
        return call is attributes or "'Evil' object" in str(error) or not is_ours
    if isinstance(error, OverflowError):
        return call is schedule
    return isinstance(error, DOCUMENTED)


def run(count: int, seed: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    meddler, stop = Meddler(random.Random(seed)), threading.Event()
    other = threading.Thread(target=disturb, args=(meddler, stop), daemon=True)
    other.start()
    try:
        for number in range(count):
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            # Each call can be repeated by its number alone.
            meddler.rng.seed(f"{seed} {number}")
            meddler.optimizer, meddler.arrays, meddler.depth = None, [], 0
            call = meddler.rng.choice(CALLS)
            try:
                call(meddler)
                outcomes["returned"] += 1
            except BaseException as error:
                outcomes[type(error).__name__] += 1
                if not is_documented(call, error):
                    print(f"call {number} of seed {seed}, {call.__name__}:", file=sys.stderr)
                    raise
    finally:
        faulthandler.cancel_dump_traceback_later()
        stop.set()
        other.join()
    return outcomes


if __name__ == "__main__":
    faulthandler.enable()
    warnings.simplefilter("ignore")
    sys.setswitchinterval(1e-4)
    sys.unraisablehook = lambda unraisable: None  # of __del__ above
    np.seterr(all="ignore")
    count, seed = (int(text) for text in (*sys.argv[1:3], *("2000", "1")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # an object may name any file
        outcomes = run(count, seed)
    assert outcomes["returned"] > count // 100
    print(f"{count} calls, seed {seed}:", dict(outcomes.most_common()))
