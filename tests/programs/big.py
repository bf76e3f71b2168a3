"""A step on arrays that are larger than 32-bit numbers can count, or on very many. Prints
the memory before the step and how much more it takes at its peak; wrong numbers end the program.

`python tests/programs/big.py all` runs every case for which there is memory, `python tests/programs/big.py RULE CASE`
runs one.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from helpers.dialects import DIALECTS
from helpers.process import memory
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array

GIB = 1 << 30
Check = Callable[[], bool]
Prepared = tuple[Any, Any, Check]
"""An optimizer, its gradients, and the check of one step."""


def one_step(rule: str, start: npt.ArrayLike, grad: npt.ArrayLike) -> Array:
    """What a step makes of some elements alone."""
    param = np.array(start, ndmin=1)
    DIALECTS[rule].make([param]).step([np.array(grad, ndmin=1)])
    return param


def large(rule: str, dtype: npt.DTypeLike, length: int) -> Prepared:
    """One array with different numbers at the start, at each power of two and at the end."""
    param, grad = np.ones(length, dtype), np.full(length, 0.5, dtype)
    places = np.unique([0, 1, *(2**k + d for k in range(10, 32) for d in (-1, 0)), length - 2, length - 1])
    places = places[places < length]
    param[places], grad[places] = np.arange(len(places)) % 60 + 2, np.arange(len(places)) % 7 - 3
    own = one_step(rule, param[places], grad[places])
    common = one_step(rule, np.ones(1, dtype), np.full(1, 0.5, dtype))

    def is_right() -> bool:
        param_at_places = param[places].tobytes() == own.tobytes()
        param[places] = common
        chunks = range(0, length, 1 << 26)
        return param_at_places and all((param[i : i + (1 << 26)] == common).all() for i in chunks)

    return DIALECTS[rule].make([param]), [grad], is_right


def float16(rule: str) -> Prepared:
    return large(rule, np.float16, (1 << 31) + 12_345)


def float32(rule: str) -> Prepared:
    return large(rule, np.float32, (1 << 30) + 12_345)


def row_numbers(rule: str) -> Prepared:
    """Rows beyond 2^31 of a table of one column."""
    rows = (1 << 31) + 1_000
    table = np.zeros((rows, 1), np.float16)
    indices = np.array([rows - 1, 0, (1 << 31) + 5, (1 << 31) - 1, 1 << 31, rows - 1])
    own = one_step(rule, np.zeros(5, np.float16), np.array([1, 2, 3, 4, 12], np.float16))

    def is_right() -> bool:
        places = [0, (1 << 31) + 5, (1 << 31) - 1, 1 << 31, rows - 1]
        right = table[places, 0].tobytes() == own.tobytes()
        table[places] = 0
        return right and not table.any()

    values = np.array([5, 1, 2, 3, 4, 7], np.float16).reshape(-1, 1)
    return DIALECTS[rule].make([table]), [RowSparse(indices, values)], is_right


def many(rule: str, count: int, groups: int) -> Prepared:
    params = [np.full(10, i % 7, np.float32) for i in range(count)]
    grads = [np.full(10, i % 5 - 2, np.float32) for i in range(count)]
    expected = {(i, k): one_step(rule, np.float32(i), np.float32(k - 2)) for i in range(7) for k in range(5)}
    size = count // groups

    def is_right() -> bool:
        return all((param == expected[i % 7, i % 5]).all() for i, param in enumerate(params))

    parts = [{"params": params[i * size : (i + 1) * size]} for i in range(groups)]
    return DIALECTS[rule].make(parts), grads, is_right


def many_parameters(rule: str) -> Prepared:
    return many(rule, 100_000, 1)


def many_groups(rule: str) -> Prepared:
    return many(rule, 100_000, 10_000)


# Parameter, accumulator and gradient; the comparison takes little more.
LARGE = 3 * 4.1 * GIB
CASES = {float16: LARGE, float32: LARGE, row_numbers: LARGE, many_parameters: GIB, many_groups: GIB}


def run(rule: str, case: Callable[[str], Prepared]) -> None:
    optimizer, grads, is_right = case(rule)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    start = time.perf_counter()
    optimizer.step(grads)
    seconds = time.perf_counter() - start
    peak = memory("VmHWM")
    figures = f"{before / 1e6:.0f} MB before the step, {(peak - before) / 1e6:.2f} MB more at its peak, {seconds:.2f} s"
    print(f"{rule} {case.__name__}: {figures}")
    if not is_right():
        sys.exit(f"{rule} {case.__name__}: wrong numbers")


def run_all() -> None:
    """Each in its own process, as memory returns with its end."""
    for case, needed in CASES.items():
        (kilobytes,) = re.findall(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
        if needed > int(kilobytes) * 1024:
            print(f"{case.__name__}: left out, needs {needed / GIB:.1f} GiB")
            continue
        for rule in DIALECTS:
            subprocess.run([sys.executable, __file__, rule, case.__name__], check=True)


if __name__ == "__main__":
    if sys.argv[1] == "all":
        run_all()
    else:
        run(sys.argv[1], next(case for case in CASES if case.__name__ == sys.argv[2]))
