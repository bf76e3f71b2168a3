"""A thread counts while another steps, and while it computes a digest, which takes a processor but no GIL.

Prints for each of 10 tries the ratio of both rates of counting and the seconds that the step took.

`python tests/programs/counting.py RULE dense|sparse`
"""

import hashlib
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from helpers.dialects import DIALECTS
from numpy_adagrad import RowSparse

dialect = DIALECTS[sys.argv[1]]
if sys.argv[2] == "dense":
    param = np.ones(20_000_000)
    grad: Any = np.broadcast_to(0.5, param.shape)
    optimizer = dialect.make([param], weight_decay=0.1)
else:  # narrow rows, whose indices take most of the time
    param = np.ones((1_000_000, 2))
    indices = np.random.default_rng(1).integers(0, len(param), 3_000_000)
    grad = RowSparse(indices, np.broadcast_to(0.5, (len(indices), 2)))
    optimizer = dialect.make([param])
count, going = 0, True


def keep_counting() -> None:
    global count
    while going:
        count += 1


def rate_during(work: Callable[[], object]) -> tuple[float, float]:
    before, start = count, time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return (count - before) / seconds, seconds


counter = threading.Thread(target=keep_counting, daemon=True)  # an error below ends the process
counter.start()
data = bytes(50_000_000)
_, data_seconds = rate_during(partial(hashlib.sha256, data))
for _ in range(10):
    rate, seconds = rate_during(lambda: optimizer.step([grad]))
    data = bytes(int(len(data) * seconds / data_seconds))
    undisturbed, data_seconds = rate_during(partial(hashlib.sha256, data))
    print(rate / undisturbed if undisturbed else 0.0, seconds)  # other processes may leave it no time at all
going = False
counter.join()
