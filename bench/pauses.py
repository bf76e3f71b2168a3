"""One step at a time: after a pause, as a backward pass makes one, and beside another busy process.

python bench/pauses.py --out docs/performance.md
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy_adagrad.benchmark.candidates import CANDIDATES
from numpy_adagrad.benchmark.comparison import Step
from numpy_adagrad.benchmark.figures import duration, multiple
from numpy_adagrad.benchmark.threads import PROCESSORS, threads
from numpy_adagrad.benchmark.workloads import Workload, random_arrays
from numpy_adagrad.inputs.types import Array
from report import write_between_markers

LENGTHS = (2**12, 2**14, 2**15, 2**16, 100_000, 200_000, 300_000, 10**6, 10**7)
PAUSES = (0.0, 1e-3, 10e-3)
ROUNDS = 12
STEPS = {0.0: 40, 1e-3: 20, 10e-3: 15}  # in a round, after pauses so long
BESIDE = (100_000, 10**7)
SECONDS = 3.0


def step_of(name: str, length: int) -> Step:
    workload = Workload(str(length), [(length,)])
    params, grads = (random_arrays(workload, seed) for seed in (1, 2))
    return CANDIDATES[name].make(workload, params, grads).step


def timed(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def work_for(seconds: float, array: Array) -> None:
    """NumPy on one thread, while the threads of the others have nothing to do."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        array += 1.0


def after_pauses(step: Step) -> dict[tuple[int, float], float]:
    """The seconds of single steps as {(threads, pause): [...]}, the number of threads changing every round."""
    found: dict[tuple[int, float], list[float]] = {case: [] for case in itertools.product((1, PROCESSORS), PAUSES)}
    scratch = np.zeros(2000)
    for _ in range(ROUNDS):
        for count, pause in found:
            with threads(count):
                step()
                for _ in range(STEPS[pause]):
                    work_for(pause, scratch)
                    found[count, pause].append(timed(step))
    return {case: statistics.median(seconds) for case, seconds in found.items()}


def pauses_table() -> str:
    lines = [f"| elements | {' | '.join(f'pause {pause * 1e3:g} ms' for pause in PAUSES)} |", "|---" * 4 + "|"]
    for length in LENGTHS:
        found = after_pauses(step_of("TorchAdagrad", length))
        cells = [
            f"{duration(found[1, pause])}, {multiple(found[PROCESSORS, pause] / found[1, pause])}" for pause in PAUSES
        ]
        lines.append(f"| {length:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


@contextmanager
def busy_process() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def spread(step: Step) -> str:
    seconds: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(seconds) < 100:
        seconds.append(timed(step))
    return f"{duration(statistics.median(seconds))} ({duration(statistics.quantiles(seconds, n=100)[-1])})"


def beside_table() -> str:
    cases = [(length, count) for length in BESIDE for count in (1, PROCESSORS)]
    lines = [f"| | {' | '.join(f'{length:,}, {count} threads' for length, count in cases)} |", "|---" * 5 + "|"]
    for name in ("TorchAdagrad", "torch-fused"):
        steps = {length: step_of(name, length) for length in BESIDE}

        def row(label: str, name: str = name, steps: dict[int, Step] = steps) -> None:
            cells = []
            for length, count in cases:
                with threads(count):
                    cells.append(spread(steps[length]))
            lines.append(f"| {name}, {label} | {' | '.join(cells)} |")

        row("alone")
        with busy_process():
            row("beside one busy process")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Markdown file: what is between two markers")
    arguments = parser.parse_args()
    text = f"""A single step of `TorchAdagrad` on one thread, and how many times that it takes on {PROCESSORS} threads:

{pauses_table()}

Median and 99th percentile of steps without pauses:

{beside_table()}
"""
    write_between_markers(arguments.out, text, "pauses")


if __name__ == "__main__":
    main()
