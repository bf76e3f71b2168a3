"""The interpreter exits while a daemon thread steps, or makes new optimizers, or is in a schedule.

`python tests/programs/daemon_at_exit.py CASE RULE`
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from helpers.dialects import DIALECTS
from helpers.values import normal

SIZE = 300_000
case, dialect = sys.argv[1], DIALECTS[sys.argv[2]]
grads = [normal(SIZE, seed=2)]
is_busy = threading.Event()  # set by the daemon thread


def schedule(steps: int) -> float:
    is_busy.set()
    time.sleep(0.001)
    return 0.1


def in_a_step() -> None:
    optimizer = dialect.make([normal(SIZE)])
    while True:
        optimizer.step(grads)
        is_busy.set()


def in_a_constructor() -> None:
    while True:
        dialect.make([grads[0].copy()])
        is_busy.set()


def in_a_schedule() -> None:
    options: dict[str, Any] = {dialect.rate: schedule}
    optimizer = dialect.make([normal(SIZE)], **options)
    while True:
        optimizer.step(grads)


CASES: dict[str, Callable[[], None]] = {call.__name__: call for call in (in_a_step, in_a_constructor, in_a_schedule)}

if __name__ == "__main__":
    threading.Thread(target=CASES[case], daemon=True).start()
    assert is_busy.wait(60)
    print("exits")
