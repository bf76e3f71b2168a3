"""Prints the number of threads, and whether a step of each rule on all of them had the bits of a step on one."""

import numpy as np
from helpers.dialects import DIALECTS
from numpy_adagrad import show_config
from programs.processes import make, step
from threadpoolctl import threadpool_limits

threads = show_config()["threads"]
together = [step(make(rule)) for rule in DIALECTS]
with threadpool_limits(1, user_api="openmp"):
    alone = [step(make(rule)) for rule in DIALECTS]
print(threads, together == alone and all(np.frombuffer(params, np.float32).all() for params in alone))
