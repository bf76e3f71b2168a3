"""Measure steps beside independent bounds and beside torch, each in its own process; write a result file.

    python bench/bounds.py --out bounds.json                  10 minutes, 8 GB of memory
    python bench/bounds.py --busy --out busy.json             a shorter list, beside a busy process: 2 minutes

Several thread pools in one process disturb each other, so each implementation has its own process. The processes take
turns: in each round all of them are timed on the same workload, in random order, and only one works at a time. The
bounds are the loops of `bounds.cpp`; `bounds_report.py` makes tables and a picture.
"""

import argparse
import datetime
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from typing import Any

from arguments import COUNT, new_file
from bound_loops import build_bounds
from machine import command_line, machine
from numpy_adagrad.benchmark.figures import format_threads
from processes import Worker, busy_process

SCHEMA = 1
OURS, RIVAL = "TorchAdagrad", "torch-fused"
SPARSE_RIVAL, INDEXING = "torch-sparse", "NumPy"
BOUNDS = ["memory_bound", "divider_bound"]
INDICES = 65_536  # of a sparse gradient
ARRAYS = {1: 1000, 2000: 256}  # the elements of each array of a new optimizer, by the number of arrays
STARTS = ["construction", "first step"]
PAUSES = ["asleep", "one_thread", "matrix_products"]
ROWS = [
    "uniform",
    "Zipf, scattered",
    "Zipf, frequent rows first",
    "among 100 rows",
    "among 2 rows",
    "one row",
    "ascending, unique",
]
ALL = {
    "lengths": [10**5, 10**6, 3 * 10**6, 10**7, 10**8],
    "odd_lengths": [10**5, 10**6, 3 * 10**6, 10**7],
    "paused_lengths": [10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7],
    "rows": ROWS,
    "widths": [1, 4, 16, 64, 768],
    "arrays": [*ARRAYS],
}
BUSY = {
    "lengths": [10**5, 10**6, 10**7],
    "odd_lengths": [],
    "paused_lengths": [10**5, 10**6],
    "rows": ["uniform", "Zipf, frequent rows first", "ascending, unique"],
    "widths": [1, 64],
    "arrays": [],
}
Found = dict[str, Any]


class Turns:
    """Implementations that take turns, each in its own process with this number of threads."""

    def __init__(self, threads: int, options: argparse.Namespace, stack: ExitStack) -> None:
        self.threads, self.options, self.stack = threads, options, stack
        self.workers: dict[str, Worker] = {}

    def ask(self, name: str, do: str, **arguments: Any) -> dict[str, Any]:
        if name not in self.workers:
            worker = Worker(sys.executable, "bounds_worker.py", self.threads)
            self.workers[name] = self.stack.enter_context(worker)
        return self.workers[name].ask(do, **arguments)

    def measure(self, names: list[str], pause: str = "none", **workload: Any) -> Found:
        """Return a measurement, as `bounds_report.py` describes it."""
        for name in names:
            self.ask(name, "prepare", implementation=name, library=self.options.library, **workload)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        order = list(names)
        for _ in range(self.options.rounds):
            random.shuffle(order)
            for name in order:
                time.sleep(0.02)  # the threads of the last one may still spin
                found = self.ask(name, "time", pause=pause, limit=self.options.seconds)
                seconds[name].append(found["seconds"])
        for name in names:
            self.ask(name, "forget")
        print(f"{format_threads(self.threads)}, {pause=}, {workload}", flush=True)
        return {"threads": self.threads, "pause": pause, "workload": workload, "seconds": seconds}

    def measure_all(self) -> Iterator[Found]:
        options = self.options
        for length in options.lengths:
            yield self.measure([*BOUNDS, OURS, RIVAL], length=length)
        for length in options.odd_lengths:
            yield self.measure([*BOUNDS, OURS, RIVAL], length=length, skipped=1)
        for pause in PAUSES:
            for length in options.paused_lengths:
                yield self.measure([OURS, RIVAL], pause, length=length)
        for arrays in options.arrays:
            for start in STARTS:
                yield self.measure([OURS, RIVAL], arrays=arrays, start=start)
        for width in options.widths:
            for rows in options.rows:
                indexing = [INDEXING] if rows == "ascending, unique" else []
                yield self.measure(["rows_bound", OURS, SPARSE_RIVAL, *indexing], rows=rows, width=width)


def main() -> None:
    command = command_line()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=new_file, required=True, help="the result file to write")
    parser.add_argument("--rounds", type=COUNT, default=9, help="rounds for each workload (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.05, help="time of a round (%(default)s)")
    parser.add_argument("--threads", type=COUNT, nargs="*", default=[1, 2])
    parser.add_argument("--busy", action="store_true", help="measure beside a busy process, by default a shorter list")
    parser.add_argument("--lengths", type=COUNT, nargs="*", help="elements of single arrays")
    parser.add_argument("--odd-lengths", type=COUNT, nargs="*", help="the same, gradients at an odd place")
    parser.add_argument("--paused-lengths", type=COUNT, nargs="*", help="the same, 3 ms between two steps")
    parser.add_argument("--arrays", type=int, choices=ARRAYS, nargs="*", help="numbers of arrays of new optimizers")
    parser.add_argument("--rows", nargs="*", choices=ROWS, help="sparse gradients")
    parser.add_argument("--widths", type=COUNT, nargs="*", help="of the rows of sparse gradients")
    options = parser.parse_args()
    for name, default in (BUSY if options.busy else ALL).items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    measurements: list[Found] = []
    with tempfile.TemporaryDirectory() as folder, busy_process() if options.busy else nullcontext():
        options.library = build_bounds(folder)
        for threads in options.threads:
            with ExitStack() as stack:
                measurements += Turns(threads, options, stack).measure_all()
    result = {
        "schema": SCHEMA,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "command": command,
        "busy": options.busy,
        "measurements": measurements,
    }
    options.out.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
