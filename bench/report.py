"""Turn a result file of `run.py` into the tables and the picture of the documentation.

python bench/report.py result.json --out docs/internals/performance.md --picture docs/internals/performance.png
"""

import argparse
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from arguments import new_file, old_file
from machine import described
from numpy_adagrad.benchmark.candidates import MEMORY_BOUND
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES
from numpy_adagrad.benchmark.figures import (
    format_duration,
    format_ratio,
    format_threads,
    idle_only,
    median_ratio,
    three_digits,
)
from page import markdown_table, write_block
from picture import draw_throughput
from result import Measurement, Result, read
from sparse_candidates import SPARSE_CANDIDATES

Cell: TypeAlias = Callable[[Measurement, str], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=old_file, help="written by bench/run.py")
    parser.add_argument("--out", type=new_file, required=True, help="the Markdown page with the generated blocks")
    parser.add_argument("--picture", type=new_file, help="the PNG file to write")
    options = parser.parse_args()

    result = read(options.result)
    counted = [without_busy_rounds(each) for each in result.measurements]
    dense = [each for each in counted if each.rows is None]
    sparse = [each for each in counted if each.rows is not None]
    measured = circumstances(result, counted)
    if dense:
        sections = [dense_section(*each) for each in by_threads(dense)]
        write_block(options.out, "figures", "\n\n".join([measured, *sections]))
    if sparse:
        introduction = [sparse_introduction(sparse)] if dense else [sparse_introduction(sparse), measured]
        sections = [sparse_section(*each) for each in by_threads(sparse)]
        write_block(options.out, "sparse", "\n\n".join([*introduction, *sections]))
    if options.picture and dense:
        draw_throughput(*by_threads(dense)[0], options.picture)


def without_busy_rounds(measured: Measurement) -> Measurement:
    """Keep the rounds on an idle machine."""
    if not any(measured.idle):
        raise SystemExit(
            f"{measured.workload}, {format_threads(measured.threads)}: "
            "other processes were busy in every round; measure again"
        )
    kept = {name: idle_only(seconds, measured.idle) for name, seconds in measured.seconds.items()}
    return replace(measured, idle=[idle for idle in measured.idle if idle], seconds=kept)


def by_threads(measurements: Iterable[Measurement]) -> list[tuple[int, list[Measurement]]]:
    """Group measurements by their number of threads, the largest first."""
    groups: dict[int, list[Measurement]] = {}
    for measured in measurements:
        groups.setdefault(measured.threads, []).append(measured)
    return sorted(groups.items(), reverse=True)


def circumstances(result: Result, counted: list[Measurement]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    counts = [len(measured.idle) for measured in counted]
    fewest, most = min(counts), max(counts)
    rounds = f"{most}" if fewest == most else f"{fewest} to {most}"
    return (
        f"Measured on {result.date}: {described(result.machine)}; {versions}. "
        f"{rounds} rounds on an idle machine.\n\n    {result.command}"
    )


def table(measurements: list[Measurement], cell: Cell, left_out: Sequence[str] = ()) -> str:
    """Return a table with a row for each workload and a column for each candidate."""
    present = {name for measured in measurements for name in measured.seconds}
    names = [name for name in {**DENSE_CANDIDATES, **SPARSE_CANDIDATES} if name in present and name not in left_out]
    rows = [
        [measured.workload, *(cell(measured, name) if name in measured.seconds else "" for name in names)]
        for measured in measurements
    ]
    return markdown_table(["", *names], rows)


def duration(measured: Measurement, name: str) -> str:
    return format_duration(statistics.median(measured.seconds[name]))


def over_bound(measured: Measurement, name: str) -> str:
    return format_ratio(median_ratio(measured.seconds[name], measured.seconds[MEMORY_BOUND]))


def rows_per_second(measured: Measurement, name: str) -> str:
    assert measured.rows is not None
    return three_digits(measured.rows / statistics.median(measured.seconds[name]) / 1e6)


def dense_section(count: int, measurements: list[Measurement]) -> str:
    return f"""### All candidates, {format_threads(count)}

{times_and_ratios(measurements)}"""


def sparse_section(count: int, measurements: list[Measurement]) -> str:
    return f"""### All candidates, sparse gradients, {format_threads(count)}

{times_and_ratios(measurements)}

Millions of distinct rows per second:

{table(measurements, rows_per_second)}"""


def times_and_ratios(measurements: list[Measurement]) -> str:
    return f"""Median time of a step:

{table(measurements, duration)}

Ratio to the memory bound:

{table(measurements, over_bound, left_out=[MEMORY_BOUND])}"""


def sparse_introduction(measurements: list[Measurement]) -> str:
    rows = "; ".join(dict.fromkeys(f"{measured.workload}: {measured.rows:,.0f}" for measured in measurements))
    return f"Distinct rows in a step: {rows}."


if __name__ == "__main__":
    main()
