"""Compare steps with independent bounds, and with torch, each in a process of its own.

    python bench/bounds.py --out docs/internals/performance.md

Several thread pools in one process disturb each other, so each implementation has its own process. The processes take
turns: in each round all of them are timed on the same workload, in random order, and only one works at a time. The
tables show medians; a ratio is the median of the ratios within rounds. The bounds are the loops of `bounds.cpp`.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bound_loops import build_bounds
from numpy_adagrad.benchmark.figures import format_duration, format_ratio, format_threads, median_ratio
from page import markdown_table, write_block
from processes import Worker

LENGTHS = [10**5, 10**6, 3 * 10**6, 10**7, 10**8]
PAUSED_LENGTHS = [10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7]
PAUSES = {"asleep": "asleep", "one_thread": "NumPy on one thread", "matrix_products": "matrix products"}
WIDTHS = [1, 4, 16, 64, 768]
ROWS = [
    "uniform",
    "Zipf, scattered",
    "Zipf, frequent rows first",
    "among 100 rows",
    "among 2 rows",
    "one row",
    "ascending, unique",
]
Seconds = dict[str, list[float]]


def measure(
    names: Sequence[str], threads: int, options: argparse.Namespace, pause: str = "none", **workload: Any
) -> Seconds:
    """Return the seconds of each implementation in each round."""
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(sys.executable, "bounds_worker.py", threads)) for name in names}
        first = [
            worker.ask("prepare", implementation=name, library=options.library, **workload)["seconds"]
            for name, worker in workers.items()
        ]
        least = 5 if pause == "none" else 15
        steps = max(least, min(options.most_steps, int(options.seconds / max(first))))
        found: Seconds = {name: [] for name in names}
        order = list(names)
        for _ in range(options.rounds):
            random.shuffle(order)
            for name in order:
                time.sleep(0.02)  # the threads of the last one may still spin
                found[name].append(workers[name].ask("time", pause=pause, steps=steps)["seconds"])
    return found


def cell(found: Seconds, name: str, base: str) -> str:
    return f"{format_duration(statistics.median(found[name]))} ({format_ratio(median_ratio(found[name], found[base]))})"


def dense_table(threads: int, options: argparse.Namespace) -> str:
    names = ["memory_bound", "divider_bound", "TorchAdagrad", "torch-fused"]
    rows = []
    for length in options.lengths:
        found = measure(names, threads, options, length=length)
        bound = max(names[:2], key=lambda name: statistics.median(found[name]))
        times = [format_duration(statistics.median(found[name])) for name in names[:2]]
        ours = format_ratio(median_ratio(found["torch-fused"], found["TorchAdagrad"]))
        rows.append(
            [f"{length:,}", *times, cell(found, "TorchAdagrad", bound), cell(found, "torch-fused", bound), ours]
        )
    return markdown_table(["elements", *names, "torch-fused / TorchAdagrad"], rows)


def paused_table(threads: int, options: argparse.Namespace) -> str:
    rows = []
    for length in options.paused_lengths:
        cells = []
        for pause in PAUSES:
            found = measure(["TorchAdagrad", "torch-fused"], threads, options, pause, length=length)
            ours = format_duration(statistics.median(found["TorchAdagrad"]))
            cells.append(f"{ours}, {cell(found, 'torch-fused', 'TorchAdagrad')}")
        rows.append([f"{length:,}", *cells])
    return markdown_table(["elements", *PAUSES.values()], rows)


def sparse_table(threads: int, options: argparse.Namespace) -> str:
    rows = []
    for kind in options.rows:
        cells = []
        for width in options.widths:
            ascending = ["NumPy"] if kind == "ascending, unique" else []
            names = ["rows_bound", "TorchAdagrad", "torch-sparse", *ascending]
            found = measure(names, threads, options, rows=kind, width=width)
            ratios = [median_ratio(found[name], found["TorchAdagrad"]) for name in names[2:]]
            cells.append(f"{cell(found, 'TorchAdagrad', 'rows_bound')}; {', '.join(map(format_ratio, ratios))}")
        rows.append([kind, *cells])
    return markdown_table(["rows", *(f"width {width}" for width in options.widths)], rows)


@contextmanager
def perhaps_busy(busy: bool) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the Markdown page with the generated block")
    parser.add_argument("--rounds", type=int, default=11, help="rounds for each workload (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.05, help="time of a round (%(default)s)")
    parser.add_argument("--most-steps", type=int, default=200, help="most steps in a round (%(default)s)")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS, help="elements in the first tables")
    parser.add_argument("--paused-lengths", type=int, nargs="*", default=PAUSED_LENGTHS)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=ROWS, help="sparse gradients")
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS, help="of the rows of sparse gradients")
    parser.add_argument("--busy", action="store_true", help="measure beside a busy process, in a block of its own")
    options = parser.parse_args()
    texts = []
    with tempfile.TemporaryDirectory() as folder, perhaps_busy(options.busy):
        options.library = build_bounds(folder)
        for threads in options.threads:
            heading = format_threads(threads)
            texts += [f"### Steps in a row, {heading}", dense_table(threads, options)]
            texts += [f"### 3 ms between two steps, {heading}", paused_table(threads, options)]
            texts += [f"### {65_536:,} rows of a table, {heading}", sparse_table(threads, options)]
    write_block(options.out, "bounds, busy" if options.busy else "bounds", "\n\n".join(texts))


if __name__ == "__main__":
    main()
