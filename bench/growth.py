"""Measure how the time to construct an optimizer and to add groups grows with the number of parameters.

    python bench/growth.py

For each optimizer and number n, the table shows the milliseconds to construct it with n parameters and to add n more by
as many calls of `add_param_group`, the least of several runs. Twice the number should take twice the time.
"""

import argparse
import gc
from time import perf_counter

import numpy as np
from arguments import COUNT
from numpy_adagrad.optimizers import OPTIMIZERS
from numpy_adagrad.optimizers._base import Optimizer

NUMBERS = (500, 1000, 2000, 4000)
ELEMENTS = 16


def seconds(make: type[Optimizer], number: int) -> tuple[float, float]:
    """Return the time to construct an optimizer with `number` parameters, and to add as many groups."""
    first, later = ([np.zeros(ELEMENTS, np.float32) for _ in range(number)] for _ in range(2))
    groups = [{"params": [param]} for param in later]
    gc.collect()
    start = perf_counter()
    optimizer = make([{"params": first}])  # type: ignore[call-arg]
    constructed = perf_counter()
    for group in groups:
        optimizer.add_param_group(group)
    return constructed - start, perf_counter() - constructed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=COUNT, nargs="+", default=NUMBERS, help="numbers of parameters")
    parser.add_argument("--rounds", type=COUNT, default=5, help="runs of which the least counts (%(default)s)")
    arguments = parser.parse_args()
    print(f"{'':24}" + "".join(f"{number:>16,}" for number in arguments.numbers))
    for optimizer in OPTIMIZERS.values():
        cells = []
        for number in arguments.numbers:
            runs = [seconds(optimizer, number) for _ in range(arguments.rounds)]
            constructed, added = (min(each) * 1e3 for each in zip(*runs, strict=True))
            cells.append(f"{constructed:.1f} + {added:.1f}")
        print(f"{optimizer.__name__:24}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()
