"""Turns result files of pytest-benchmark into the tables and the picture of the documentation."""

import argparse
import itertools
import json
import re
import statistics
from pathlib import Path

import matplotlib.pyplot as plt

FLOOR = "floor"
RIVAL = "torch-fused"
BEGIN = "<!-- figures: written by bench/report.py -->"
END = "<!-- end of figures -->"


def read(path):
    """The machine, and the benchmarks as {workload: {candidate: benchmark}}."""
    result = json.loads(path.read_text())
    workloads = {}
    for benchmark in result["benchmarks"]:
        params = benchmark["params"]
        workloads.setdefault(params["workload"], {})[params["candidate"]] = benchmark
    return result["machine_info"], workloads


def quiet_times(benchmark):
    kept = list(itertools.compress(benchmark["stats"]["data"], benchmark["extra_info"]["quiet"]))
    if not kept:
        raise SystemExit(f"{benchmark['name']}: the machine was busy in every round; measure again")
    return kept


def ratio(benchmark, base):
    """The times of both were taken in the same rounds, so it is these that are compared."""
    pairs = zip(quiet_times(benchmark), quiet_times(base), strict=True)
    return statistics.median(seconds / base_seconds for seconds, base_seconds in pairs)


def duration(seconds):
    return f"{digits(seconds * 1e3)} ms" if seconds >= 1e-3 else f"{digits(seconds * 1e6)} µs"


def digits(number):
    return f"{number:#.3g}".rstrip(".")


def table(workloads, cell, left_out=()):
    names = [name for name in next(iter(workloads.values())) if name not in left_out]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for workload, row in workloads.items():
        lines.append(f"| {workload} | {' | '.join(cell(row, row[name]) for name in names)} |")
    return "\n".join(lines)


def time_and_floors(row, benchmark):
    return f"{duration(statistics.median(quiet_times(benchmark)))} ({digits(ratio(benchmark, row[FLOOR]))}x)"


def speedup(row, benchmark):
    return f"{digits(ratio(row[RIVAL], benchmark))}x"


def circumstances(machine, workloads):
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    threads = ", ".join(f"{count} ({name})" for name, count in machine["threads"].items())
    floors = [row[FLOOR] for row in workloads.values()]
    kept = min(len(quiet_times(benchmark)) for benchmark in floors)
    return (
        f"{machine['cpu']['brand_raw']}, {machine['processors']} processors, instruction set "
        f"{machine['isa']}, {machine['system']} {machine['machine']}; Python {machine['python_version']}, "
        f"{versions}. Threads: {threads}. At least {kept} rounds on a quiet machine.\n\n    {machine['command']}"
    )


def section(machine, workloads):
    return f"""{circumstances(machine, workloads)}

Median time of a step, and how many times the {FLOOR}'s:

{table(workloads, time_and_floors)}

How many times as fast as {RIVAL}:

{table(workloads, speedup, left_out=(FLOOR, RIVAL))}
"""


def write_between_markers(path, text):
    block = f"{BEGIN}\n{text}\n{END}"
    old = path.read_text() if path.exists() else ""
    if BEGIN in old and END in old:
        before, after = old.split(BEGIN)[0], old.split(END)[1]
        path.write_text(before + block + after)
    else:
        path.write_text(block + "\n")


def draw(workloads, path):
    """Single arrays only: a list of many has no place on an axis of elements."""
    rows = [row for workload, row in workloads.items() if re.fullmatch(r"1e\d", workload)]
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for name in rows[0]:
        elements = [row[name]["extra_info"]["elements"] for row in rows]
        floors = [ratio(row[name], row[FLOOR]) for row in rows]
        style = {"color": "black", "linestyle": "--"} if name == FLOOR else {"marker": "o"}
        axes.plot(elements, floors, label=name, **style)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="float32 elements in one array",
        ylabel=f"time of a step in times of the {FLOOR}",
    )
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+", type=Path, help="written by pytest --benchmark-json")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file: what is between two markers")
    parser.add_argument("--picture", type=Path, help="PNG file, drawn from the first result")
    arguments = parser.parse_args()
    results = [read(path) for path in arguments.results]
    write_between_markers(arguments.out, "\n".join(section(*result) for result in results))
    if arguments.picture:
        draw(results[0][1], arguments.picture)


if __name__ == "__main__":
    main()
