"""Measure single steps after a pause, as a backward pass makes one, and beside another busy process.

python bench/pauses.py --out docs/internals/performance.md
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator

import numpy as np
from arguments import COUNT, new_file
from numpy_adagrad.benchmark.candidates import Step
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES
from numpy_adagrad.benchmark.dense_workloads import DenseWorkload, random_arrays
from numpy_adagrad.benchmark.figures import format_duration, format_ratio, format_threads
from numpy_adagrad.inputs.types import Array
from page import markdown_table, write_block
from processes import busy_process
from threads import PROCESSORS, threads

LENGTHS = [2**12, 2**14, 2**15, 2**16, 100_000, 200_000, 300_000, 10**6, 10**7]
BUSY_LENGTHS = [100_000, 10**7]
STEPS_AFTER = {0.0: 40, 1e-3: 20, 10e-3: 15}
"""The number of steps in a round, by the seconds of the pause before each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=new_file, required=True, help="the Markdown page with the generated block")
    parser.add_argument("--rounds", type=COUNT, default=12, help="rounds of steps after pauses (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each cell of the second table")
    parser.add_argument("--lengths", type=COUNT, nargs="+", default=LENGTHS, help="elements in the first table")
    parser.add_argument("--busy", type=COUNT, nargs="+", default=BUSY_LENGTHS, help="elements in the second table")
    options = parser.parse_args()
    text = f"""A single step of `TorchAdagrad` on one thread, and the ratio of its time on {PROCESSORS} threads:

{pauses_table(options.lengths, options.rounds)}

Median and 99th percentile of steps without pauses:

{busy_table(options.busy, options.seconds)}
"""
    write_block(options.out, "pauses", text)


def make_step(name: str, length: int) -> Step:
    workload = DenseWorkload(str(length), [(length,)])
    params, grads = (random_arrays(workload, seed) for seed in (1, 2))
    return DENSE_CANDIDATES[name].make(workload, params, grads)


def timed(step: Step) -> float:
    start = time.perf_counter()
    step.run()
    return time.perf_counter() - start


def work_for(seconds: float, array: Array) -> None:
    """Use one thread, while the worker threads have nothing to do."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        array += 1.0


def after_pauses(step: Step, rounds: int) -> dict[tuple[int, float], float]:
    """Return the median seconds of single steps as {(threads, pause): seconds}. The cases alternate within a round."""
    found: dict[tuple[int, float], list[float]] = {case: [] for case in itertools.product((1, PROCESSORS), STEPS_AFTER)}
    scratch = np.zeros(2000)
    for _ in range(rounds):
        for count, pause in found:
            with threads(count):
                step.run()
                for _ in range(STEPS_AFTER[pause]):
                    work_for(pause, scratch)
                    found[count, pause].append(timed(step))
    return {case: statistics.median(seconds) for case, seconds in found.items()}


def pauses_table(lengths: list[int], rounds: int) -> str:
    rows = []
    for length in lengths:
        found = after_pauses(make_step("TorchAdagrad", length), rounds)
        ratios = {pause: format_ratio(found[PROCESSORS, pause] / found[1, pause]) for pause in STEPS_AFTER}
        rows.append([f"{length:,}", *(f"{format_duration(found[1, pause])}, {ratios[pause]}" for pause in STEPS_AFTER)])
    return markdown_table(["elements", *(f"pause {pause * 1e3:g} ms" for pause in STEPS_AFTER)], rows)


def median_and_percentile(step: Step, limit: float) -> str:
    seconds: list[float] = []
    end = time.perf_counter() + limit
    while time.perf_counter() < end or len(seconds) < 100:
        seconds.append(timed(step))
    median, percentile = statistics.median(seconds), statistics.quantiles(seconds, n=100)[-1]
    return f"{format_duration(median)} ({format_duration(percentile)})"


def busy_table(lengths: list[int], seconds: float) -> str:
    cases = [(length, count) for length in lengths for count in (1, PROCESSORS)]
    rows = []
    for name in ("TorchAdagrad", "torch-fused"):
        steps = {length: make_step(name, length) for length in lengths}

        def cells(steps: dict[int, Step] = steps) -> Iterator[str]:
            for length, count in cases:
                with threads(count):
                    yield median_and_percentile(steps[length], seconds)

        rows.append([f"{name}, alone", *cells()])
        with busy_process():
            rows.append([f"{name}, beside one busy process", *cells()])
    return markdown_table(["", *(f"{length:,}, {format_threads(count)}" for length, count in cases)], rows)


if __name__ == "__main__":
    main()
