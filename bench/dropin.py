"""Compare numpy_adagrad.torch.Adagrad with torch's own, each in its own process.

    python bench/dropin.py

The processes take turns in random order. Each step has new gradients, but where tensors move. A cell shows the median
time of a step, in parentheses the median of its ratios to our step within rounds, and then the time of the step and its
gradients.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from arguments import COUNT, new_file
from dropin_worker import OPTIMIZERS, WORKLOADS
from numpy_adagrad.benchmark.figures import format_duration, format_ratio, median_ratio
from page import markdown_table, write_block
from processes import Worker

OURS = "numpy_adagrad.torch"


def measure(workload: str, options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Return the median seconds of each optimizer in each round, for steps alone and for the whole loop."""
    names = [name for name in OPTIMIZERS if not (name == "torch-fused" and "sparse" in workload)]
    found: dict[str, dict[str, list[float]]] = {name: {"steps": [], "whole": []} for name in names}
    with ExitStack() as stack:
        workers = {n: stack.enter_context(Worker(sys.executable, "dropin_worker.py", options.threads)) for n in names}
        for name, worker in workers.items():
            worker.ask("prepare", implementation=name, workload=workload)
        for _ in range(options.rounds):
            for name in random.sample(names, len(names)):
                time.sleep(0.02)  # the threads of the last one may still spin
                reply = workers[name].ask("measure", number=options.steps)
                for kind, seconds in found[name].items():
                    seconds.append(statistics.median(reply[kind]))
    return found


def cell(found: dict[str, dict[str, list[float]]], name: str) -> str:
    if name not in found:
        return "not possible"
    seconds, ours = found[name], found[OURS]
    step, whole = (format_duration(statistics.median(seconds[kind])) for kind in ("steps", "whole"))
    return f"{step} ({format_ratio(median_ratio(seconds['steps'], ours['steps']))}); {whole}"


def table(workloads: Sequence[str], options: argparse.Namespace) -> str:
    rows = []
    for workload in workloads:
        found = measure(workload, options)
        rows.append([workload, *(cell(found, name) for name in OPTIMIZERS)])
    return markdown_table(["a step (ratio to ours); with its gradients", *OPTIMIZERS], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=new_file, help="a Markdown page with the generated block; otherwise the table is printed"
    )
    parser.add_argument("--rounds", type=COUNT, default=11, help="rounds for each workload (%(default)s)")
    parser.add_argument("--steps", type=COUNT, default=20, help="steps in a round (%(default)s)")
    parser.add_argument("--threads", type=COUNT, default=2)
    parser.add_argument("--workloads", nargs="*", choices=list(WORKLOADS), default=list(WORKLOADS))
    options = parser.parse_args()
    text = table(options.workloads, options)
    if options.out:
        write_block(options.out, "drop-in", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
