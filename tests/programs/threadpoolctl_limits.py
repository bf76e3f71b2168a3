"""Steps under limits of threadpoolctl. Prints for each step the limit and how many threads had been started by then;
after the first, also the limit in another thread.

`python tests/programs/threadpoolctl_limits.py RULE`
"""

import sys
import threading
import time

import numpy as np
from helpers.dialects import DIALECTS
from helpers.process import thread_count
from numpy_adagrad import show_config
from threadpoolctl import threadpool_limits

limits: list[object] = []
alone = thread_count()
param = np.ones(1_000_000, np.float32)
with threadpool_limits(1, user_api="openmp"):
    grad, optimizer = param.copy(), DIALECTS[sys.argv[1]].make([param])


def step() -> None:
    optimizer.step([grad])
    limits.append((show_config()["threads"], thread_count() - alone))


with threadpool_limits(1, user_api="openmp"):
    step()
    other = threading.Thread(target=lambda: limits.append(show_config()["threads"]))
    other.start()
    other.join()
    while thread_count() > alone:  # it may still be ending
        time.sleep(0.001)
with threadpool_limits({"libgomp": 2}):
    step()
step()
print(*limits)
