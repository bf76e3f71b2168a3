"""Compare the speed of two builds of the package, for example before and after a change.

Each build is installed in an environment with its own Python interpreter:

    python bench/compare_builds.py old/bin/python new/bin/python

Each build runs in its own process. Rounds are paired: in each round both builds are timed on the same row, one right
after the other and in random order, so that other load on the machine affects both alike. The table shows the median
time of a step and the median and quartiles of the paired ratios; a ratio below 1 means that the second build is faster.
A row is measured in several pairs of fresh processes, because the time of a step also depends on where its arrays are
placed in memory.
"""

import argparse
import random
import statistics
from typing import NamedTuple

from processes import Worker

WORKER = "build_worker.py"


class Comparison(NamedTuple):
    """The paired times of one row, and whether both builds computed the same bits."""

    pairs: list[tuple[float, float]]
    same_bits: bool

    def cells(self) -> list[str]:
        before, after = (f"{statistics.median(seconds) * 1e6:,.4g}" for seconds in zip(*self.pairs, strict=True))
        ratios = [second / first for first, second in self.pairs]
        lower, median, upper = statistics.quantiles(ratios, n=4)
        note = "" if self.same_bits else "different bits!"
        return [before, after, f"{median:.3f}", f"{lower:.3f} to {upper:.3f}", note]


def measure(row: str, rule: str, threads: int, options: argparse.Namespace) -> Comparison:
    shuffle = random.Random(f"{row} {rule} {threads}").shuffle
    pairs = []
    same_bits = True
    for _ in range(options.processes):
        with (
            Worker(options.before, WORKER, threads) as before,
            Worker(options.after, WORKER, threads) as after,
        ):
            builds = [before, after]
            found = [build.ask("prepare", row=row, rule=rule, seconds=options.seconds) for build in builds]
            same_bits &= found[0]["digest"] == found[1]["digest"]
            steps = min(each["steps"] for each in found)
            for _ in range(options.rounds):
                shuffle(builds)
                seconds = {build: build.ask("time", steps=steps, warm_up=max(1, steps // 2)) for build in builds}
                pairs.append((seconds[before]["seconds"], seconds[after]["seconds"]))
    return Comparison(pairs, same_bits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="Python interpreter of the first build")
    parser.add_argument("after", help="Python interpreter of the second build")
    parser.add_argument("--rows", nargs="*", metavar="ROW", help="rows to measure; all if not given")
    parser.add_argument("--rules", nargs="*", metavar="RULE", help="rules to measure; all if not given")
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2], metavar="N", help="numbers of threads")
    parser.add_argument("--rounds", type=int, default=10, help="paired rounds in each pair of processes (%(default)s)")
    parser.add_argument("--processes", type=int, default=6, help="pairs of processes for each row (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5e-3, help="least time of a timed block (%(default)s)")
    options = parser.parse_args()
    if options.rounds * options.processes < 2:
        parser.error("--rounds: expected at least 2 in all, for the quartiles")

    for name in ("before", "after"):
        with Worker(getattr(options, name), WORKER, 1) as build:
            known = build.ask("describe")
        print(f"{name}: numpy-adagrad {known['version']}, instruction set {known['isa']}")
    for name in ("rows", "rules"):
        unknown = set(getattr(options, name) or ()) - set(known[name])
        if unknown:
            parser.error(f"--{name}: expected some of {known[name]}, got {sorted(unknown)}")
    print("\nMedian time of a step in µs; ratio is after / before, with its quartiles.\n")
    layout = "{:<27}{:<11}{:>7}{:>12}{:>12}{:>9}  {:<17}{}"
    print(layout.format("row", "rule", "threads", "before", "after", "ratio", "quartiles", ""), flush=True)
    for threads in options.threads:
        for row in options.rows or known["rows"]:
            for rule in options.rules or known["rules"]:
                cells = measure(row, rule, threads, options).cells()
                print(layout.format(row, rule, threads, *cells).rstrip(), flush=True)


if __name__ == "__main__":
    main()
