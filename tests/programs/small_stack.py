"""Steps in a thread with the smallest stack that Python gives a thread. Prints whether they had the right bits.

`python tests/programs/small_stack.py RULE`
"""

import sys
import threading
from typing import Any

import numpy as np
from helpers.contents import contents
from helpers.dialects import DIALECTS
from helpers.values import normal
from numpy_adagrad import RowSparse

ROWS, WIDTH = 600, 100
INDICES = np.arange(2 * ROWS) % (ROWS - 1)  # each row that occurs, occurs twice at least


def params() -> list[Any]:
    """Contiguous and not, with more than one block of each."""
    return [normal(20_000), normal(40_000)[::2], normal(ROWS, WIDTH), normal(2 * ROWS, 2 * WIDTH)[::2, ::2]]


def grads() -> list[Any]:
    values = normal(2 * ROWS, 2 * WIDTH, seed=4)[:, ::2]
    return [
        normal(20_000, seed=2),
        normal(20_000, seed=3)[::-1],
        RowSparse(INDICES, values),
        RowSparse(INDICES, values),
    ]


optimizer, expected = DIALECTS[sys.argv[1]].make(params()), DIALECTS[sys.argv[1]].make(params())


def run(optimizer: Any) -> None:
    for options in ({}, {"max_norm": 1.0}, {"grad_scale": 3.0}):
        optimizer.step(grads(), **options)
        optimizer.step([normal(*param.shape, seed=5) for param in optimizer.param_groups[0]["params"]], **options)


run(expected)
threading.stack_size(64 * 1024)
thread = threading.Thread(target=run, args=(optimizer,))
thread.start()
thread.join(60)
print(contents(optimizer) == contents(expected))
