"""Print the numbers of threads of all libraries before, within and after nested limits."""

from collections.abc import Callable
from importlib.util import find_spec

import torch
from numpy_adagrad import show_config
from numpy_adagrad.benchmark.candidates import import_numba
from numpy_adagrad.benchmark.dense_candidates import compiled_loops
from threads import threads

LIMITS: list[Callable[[], object]] = [lambda: show_config()["threads"], torch.get_num_threads]
if find_spec("numba"):
    compiled_loops()
    LIMITS.append(import_numba().get_num_threads)


def report() -> None:
    print({limit() for limit in LIMITS})


report()
with threads(1):
    report()
    with threads(2):
        report()
    report()
report()
