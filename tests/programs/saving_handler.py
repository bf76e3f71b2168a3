"""Handlers of SIGINT and SIGTERM save a checkpoint, at random moments of steps, saves and loads.

Prints how many signals were handled, how many different numbers of steps were saved, and what was wrong with a file.

`python tests/programs/saving_handler.py RULE FOLDER SIGNALS`
"""

import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from helpers.contents import contents
from helpers.dialects import DIALECTS
from numpy_adagrad import RowSparse

dialect, folder, signals = DIALECTS[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3])
main, chance = threading.get_ident(), random.Random(6)
moments: set[int] = set()
wrong: list[str] = []
GRADS = {"w": np.full(20_000, 0.5, np.float32), "table": RowSparse([3, 1, 3], np.ones((3, 8), np.float32))}


def make() -> Any:
    return dialect.make({"w": np.ones(20_000, np.float32), "table": np.ones((50, 8), np.float32)})


def wait_for(condition: Any) -> None:
    while not condition():
        time.sleep(1e-4)


optimizer, undisturbed, loaded = make(), make(), make()
expected: list[Any] = []
"""The contents after each number of steps."""
handled = 0


def save(number: int, frame: object) -> None:
    global handled
    optimizer.save(folder / "handler", parameters=True)
    handled += 1


def check(path: Path) -> None:
    loaded.load(path, parameters=True)
    (steps,) = set(dialect.steps(loaded))
    while len(expected) <= steps:
        expected.append(contents(undisturbed))
        undisturbed.step(GRADS)
    if contents(loaded) != expected[steps]:
        wrong.append(f"{path.name}: the file is not the state after {steps} steps")
    moments.add(steps)


def send() -> None:
    for i in range(signals):
        time.sleep(2e-3 * chance.random())
        signal.pthread_kill(main, (signal.SIGINT, signal.SIGTERM)[i % 2])
        wait_for(lambda: handled > i)  # noqa: B023
        check(folder / "handler")


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, save)
optimizer.save(folder / "own", parameters=True)
sender = threading.Thread(target=send)
sender.start()
try:
    while sender.is_alive():
        for _ in range(chance.randrange(20)):
            optimizer.step(GRADS, max_norm=chance.choice([None, 1e9]))
        optimizer.save(folder / "own", parameters=True)
        optimizer.load(folder / "own", parameters=True)
finally:
    sender.join(60)
check(folder / "own")
left_over = [entry.name for entry in folder.iterdir() if entry.name not in ("handler", "own")]
print(handled, len(moments), wrong, left_over)
