"""Threads that step one optimizer while others change its groups, read its state, and copy it.

Prints the number of steps that its counters show, the number that were taken, and the errors that were raised.

`python tests/programs/busy_threads.py RULE SECONDS`
"""

import pickle
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from helpers.contents import counters
from helpers.dialects import DIALECTS
from numpy_adagrad import RowSparse

dialect, seconds = DIALECTS[sys.argv[1]], float(sys.argv[2])
sys.setswitchinterval(1e-6)
NAMES = ["a", "b", "c"]
params = {"a": np.ones(50_000, np.float32), "b": np.ones((30, 4), np.float32), "c": np.ones(5, np.float32)}
optimizer = dialect.make([{"params": list(params.items())}])
group = optimizer.param_groups[0]
DENSE = {name: np.ones_like(param) for name, param in params.items()}
SPARSE = {**DENSE, "b": RowSparse(np.arange(20), np.ones((20, 4), np.float32))}
end = time.monotonic() + seconds
steps: list[int] = []
errors: list[str] = []


def step(grads: Any, **options: Any) -> None:
    optimizer.step(grads, **options)
    steps.append(1)


def scheduled(step: int) -> float:
    return 0.25


def change_rates() -> None:
    for rate in (0.5, scheduled, 0.125):
        group[dialect.group_rate] = rate


def replace_lists() -> None:
    """With equal ones, so that any step finds the same parameters."""
    group["params"] = list(group["params"])
    group["param_names"] = tuple(group["param_names"])


def read() -> None:
    optimizer.state_dict()
    pickle.dumps(optimizer)
    assert optimizer.names == NAMES


CALLS: list[Callable[[], None]] = [
    lambda: step(list(DENSE.values())),
    lambda: step(SPARSE),
    lambda: step(DENSE, max_norm=1.0),
    change_rates,
    replace_lists,
    read,
]


def repeat(call: Callable[[], None]) -> None:
    while time.monotonic() < end and not errors:
        try:
            call()
        except Exception as error:
            errors.append(repr(error))


threads = [threading.Thread(target=repeat, args=(call,), daemon=True) for call in CALLS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(seconds + 60)
assert not any(thread.is_alive() for thread in threads), "a thread hangs"
print(*{counter.item() for counter in counters(optimizer)}, len(steps), errors)
