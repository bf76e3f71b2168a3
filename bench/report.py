"""Turns a result file of pytest-benchmark into the tables and the picture of the documentation."""

import argparse
import json
import statistics
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from numpy_adagrad.bench.candidates import CANDIDATES
from numpy_adagrad.bench.figures import duration, kept, median_ratio, multiple
from numpy_adagrad.bench.workloads import WORKLOADS

FLOOR = "floor"
RIVAL = "torch-fused"


class Timing(NamedTuple):
    """The seconds of one step in the rounds that count."""

    seconds: list[float]
    bytes: int
    yardstick: float

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def speed(self):
        return self.bytes / self.median / 1e9


def read(path):
    """The machine, and the timings as {threads: {workload: {candidate: timing}}}."""
    result = json.loads(path.read_text())
    found = {}
    for benchmark in result["benchmarks"]:
        params, extra = benchmark["params"], benchmark["extra_info"]
        seconds = kept(benchmark["stats"]["data"], extra["quiet"])
        if not seconds:
            raise SystemExit(f"{benchmark['name']}: the machine was busy in every round; measure again")
        rows = found.setdefault(params["count"], {})
        timing = Timing(seconds, extra["bytes"], extra["yardstick"])
        rows.setdefault(params["workload"], {})[params["candidate"]] = timing
    return result["machine_info"], dict(sorted(found.items(), reverse=True))


def present(rows):
    """Who takes part in any of them."""
    return [name for name in CANDIDATES if any(name in row for row in rows.values())]


def table(rows, cell, left_out=()):
    names = [name for name in present(rows) if name not in left_out]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for workload, row in rows.items():
        cells = [cell(row, row[name]) if name in row else "" for name in names]
        lines.append(f"| {workload} | {' | '.join(cells)} |")
    return "\n".join(lines)


def time_and_yardsticks(row, timing):
    ratio = median_ratio(timing.seconds, row[FLOOR].seconds) / timing.yardstick
    return f"{duration(timing.median)} ({multiple(ratio)})"


def speedup(row, timing):
    return multiple(median_ratio(row[RIVAL].seconds, timing.seconds))


def circumstances(machine, counts):
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rounds = [len(timing.seconds) for rows in counts.values() for row in rows.values() for timing in row.values()]
    return (
        f"{machine['cpu']['brand_raw']}, {machine['processors']} processors, instruction set {machine['isa']}, "
        f"{machine['system']} {machine['machine']}; Python {machine['python_version']}, {versions}. "
        f"{min(rounds)} to {max(rounds)} rounds on a quiet machine.\n\n    {machine['command']}"
    )


def section(count, rows):
    against = {workload: row for workload, row in rows.items() if RIVAL in row}
    return f"""### {threads_text(count)}

Median time of a step, and how many times the yardstick's:

{table(rows, time_and_yardsticks)}

How many times as fast as {RIVAL}:

{table(against, speedup, left_out=(FLOOR, RIVAL))}
"""


def threads_text(count):
    return f"{count} thread{'s' if count > 1 else ''}"


def write_between_markers(path, text, what):
    begin, end = f"<!-- {what}: written by bench/ -->", f"<!-- end of {what} -->"
    block = f"{begin}\n{text}\n{end}"
    old = path.read_text() if path.exists() else ""
    if begin in old and end in old:
        before, after = old.split(begin)[0], old.split(end)[1]
        path.write_text(before + block + after)
    else:
        path.write_text(old + block + "\n")


def draw(counts, path):
    """How fast each moves its float32 bytes: single arrays over their length, lists of arrays beside them."""
    figure = Figure(figsize=(7 * len(counts), 5.4), layout="constrained")
    panels = figure.subplots(1, 2 * len(counts), sharey=True, squeeze=False, width_ratios=[3, 1] * len(counts))[0]
    for k, (count, rows) in enumerate(counts.items()):
        float32 = [(WORKLOADS[name], row) for name, row in rows.items() if WORKLOADS[name].kind == "float32"]
        left, right = panels[2 * k : 2 * k + 2]
        draw_arrays(left, {workload.elements: row for workload, row in float32 if len(workload.shapes) == 1})
        draw_lists(right, {workload.name: row for workload, row in float32 if len(workload.shapes) > 1})
        left.set_title(threads_text(count), loc="left")
        for axes in (left, right):
            axes.grid(alpha=0.3)
    panels[0].set_ylabel("GB/s, of the bytes that a step must move")
    panels[0].set_yscale("log")
    panels[0].yaxis.set_major_formatter("{x:g}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, dpi=150)


def draw_arrays(axes, rows):
    for name in present(rows):
        lengths = sorted(length for length, row in rows.items() if name in row)
        line = {"linestyle": "--"} if name == FLOOR else {"marker": "o", "markersize": 4}
        axes.plot(lengths, [rows[length][name].speed for length in lengths], label=name, **style(name), **line)
    axes.set(xscale="log", xlabel="elements in one array")


def draw_lists(axes, rows):
    for name in present(rows):
        lists = [workload for workload, row in rows.items() if name in row]
        mark = {"marker": "_", "markersize": 24} if name == FLOOR else {"marker": "o", "markersize": 6}
        axes.plot(lists, [rows[workload][name].speed for workload in lists], linestyle="", **style(name), **mark)
    axes.set_xlabel("lists of arrays")
    axes.margins(x=0.25)
    axes.tick_params("x", labelrotation=30)


def style(name):
    """The same in every panel, the package's own on top."""
    place = list(CANDIDATES).index(name)
    return {"color": "black" if name == FLOOR else f"C{place - 1}", "zorder": 20 - place}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, help="written by pytest --benchmark-json")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file: what is between two markers")
    parser.add_argument("--picture", type=Path, help="PNG file")
    arguments = parser.parse_args()
    machine, counts = read(arguments.result)
    sections = [section(count, rows) for count, rows in counts.items()]
    write_between_markers(arguments.out, "\n\n".join([circumstances(machine, counts), *sections]), "figures")
    if arguments.picture:
        draw(counts, arguments.picture)


if __name__ == "__main__":
    main()
