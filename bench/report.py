"""Turns a result file of pytest-benchmark into the tables and the picture of the documentation."""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy_adagrad.benchmark.candidates import CANDIDATES
from numpy_adagrad.benchmark.figures import digits, duration, kept, median_ratio, multiple
from numpy_adagrad.benchmark.row_candidates import ROW_CANDIDATES
from numpy_adagrad.benchmark.workloads import WORKLOADS

FLOOR = "floor"
RIVAL = "torch-fused"


class Timing(NamedTuple):
    """The seconds of one step in the rounds that count."""

    seconds: list[float]
    bytes: float
    yardstick: float
    rows: float | None  # touched, where gradients are sparse

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def speed(self) -> float:
        return self.bytes / self.median / 1e9


Row: TypeAlias = dict[str, Timing]
"""The timings of the candidates on one workload."""

Rows: TypeAlias = dict[str, Row]
Counts: TypeAlias = dict[int, Rows]


def read(path: Path) -> tuple[dict[str, Any], Counts, Counts]:
    """The machine, and the timings of dense and of sparse gradients as {threads: {workload: {candidate: timing}}}."""
    result = json.loads(path.read_text())
    dense: Counts = {}
    sparse: Counts = {}
    for benchmark in result["benchmarks"]:
        params, extra = benchmark["params"], benchmark["extra_info"]
        seconds = kept(benchmark["stats"]["data"], extra["quiet"])
        if not seconds:
            raise SystemExit(f"{benchmark['name']}: the machine was busy in every round; measure again")
        timing = Timing(seconds, extra["bytes"], extra["yardstick"], extra.get("rows"))
        rows = (dense if timing.rows is None else sparse).setdefault(params["count"], {})
        rows.setdefault(params["workload"], {})[params["candidate"]] = timing
    return result["machine_info"], *(dict(sorted(found.items(), reverse=True)) for found in (dense, sparse))


def present(rows: Mapping[Any, Row]) -> list[str]:
    """Who takes part in any of them."""
    return [name for name in {**CANDIDATES, **ROW_CANDIDATES} if any(name in row for row in rows.values())]


def table(rows: Rows, cell: Callable[[Row, Timing], str], left_out: Sequence[str] = ()) -> str:
    names = [name for name in present(rows) if name not in left_out]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for workload, row in rows.items():
        cells = [cell(row, row[name]) if name in row else "" for name in names]
        lines.append(f"| {workload} | {' | '.join(cells)} |")
    return "\n".join(lines)


def time_and_yardsticks(row: Row, timing: Timing) -> str:
    ratio = median_ratio(timing.seconds, row[FLOOR].seconds) / timing.yardstick
    return f"{duration(timing.median)} ({multiple(ratio)})"


def speedup(row: Row, timing: Timing) -> str:
    return multiple(median_ratio(row[RIVAL].seconds, timing.seconds))


def circumstances(machine: dict[str, Any], *found: Counts) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rows = [row for counts in found for rows in counts.values() for row in rows.values()]
    rounds = [len(timing.seconds) for row in rows for timing in row.values()]
    return (
        f"{machine['cpu']['brand_raw']}, {machine['processors']} processors, instruction set {machine['isa']}, "
        f"{machine['system']} {machine['machine']}; Python {machine['python_version']}, {versions}. "
        f"{min(rounds)} to {max(rounds)} rounds on a quiet machine.\n\n    {machine['command']}"
    )


def section(count: int, rows: Rows) -> str:
    against = {workload: row for workload, row in rows.items() if RIVAL in row}
    return f"""### {threads_text(count)}

Median time of a step, and how many times the yardstick's:

{table(rows, time_and_yardsticks)}

How many times as fast as {RIVAL}:

{table(against, speedup, left_out=(FLOOR, RIVAL))}
"""


def rows_section(count: int, rows: Rows) -> str:
    return f"""### {threads_text(count)}

{table(rows, time_and_yardsticks)}

{table(rows, rows_and_bytes)}
"""


def rows_and_bytes(row: Row, timing: Timing) -> str:
    assert timing.rows is not None
    return f"{digits(timing.rows / timing.median / 1e6)} Mrow/s, {digits(timing.speed)} GB/s"


def rows_introduction(counts: Counts) -> str:
    rows = {workload: row[FLOOR].rows for found in counts.values() for workload, row in found.items()}
    touched = "; ".join(f"{workload}: {number:,.0f}" for workload, number in rows.items())
    return f"""## Rows

Median time of a step that touches some rows of a table, and how many times the floor's; then the rows, and the bytes of
parameter, accumulator and gradient, that it moves in a second. Different rows of a step: {touched}."""


def threads_text(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def write_between_markers(path: Path, text: str, what: str) -> None:
    begin, end = f"<!-- {what}: written by bench/ -->", f"<!-- end of {what} -->"
    block = f"{begin}\n{text}\n{end}"
    old = path.read_text() if path.exists() else ""
    if begin in old and end in old:
        before, after = old.split(begin)[0], old.split(end)[1]
        path.write_text(before + block + after)
    else:
        path.write_text(old + block + "\n")


def draw(counts: Counts, path: Path) -> None:
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


def draw_arrays(axes: Axes, rows: dict[int, Row]) -> None:
    for name in present(rows):
        lengths = sorted(length for length, row in rows.items() if name in row)
        line: dict[str, Any] = {"linestyle": "--"} if name == FLOOR else {"marker": "o", "markersize": 4}
        axes.plot(lengths, [rows[length][name].speed for length in lengths], label=name, **style(name), **line)
    axes.set(xscale="log", xlabel="elements in one array")


def draw_lists(axes: Axes, rows: Rows) -> None:
    for name in present(rows):
        lists = [workload for workload, row in rows.items() if name in row]
        mark: dict[str, Any] = {"marker": "_", "markersize": 24} if name == FLOOR else {"marker": "o", "markersize": 6}
        axes.plot(lists, [rows[workload][name].speed for workload in lists], linestyle="", **style(name), **mark)
    axes.set_xlabel("lists of arrays")
    axes.margins(x=0.25)
    axes.tick_params("x", labelrotation=30)


def style(name: str) -> dict[str, Any]:
    """The same in every panel, the package's own on top."""
    place = list(CANDIDATES).index(name)
    return {"color": "black" if name == FLOOR else f"C{place - 1}", "zorder": 20 - place}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, help="written by pytest --benchmark-json")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file: what is between two markers")
    parser.add_argument("--picture", type=Path, help="PNG file")
    arguments = parser.parse_args()
    machine, dense, sparse = read(arguments.result)
    measured = circumstances(machine, dense, sparse)
    if dense:
        sections = [section(count, rows) for count, rows in dense.items()]
        write_between_markers(arguments.out, "\n\n".join([measured, *sections]), "figures")
    if sparse:
        sections = [rows_section(count, rows) for count, rows in sparse.items()]
        head = [rows_introduction(sparse)] if dense else [rows_introduction(sparse), measured]
        write_between_markers(arguments.out, "\n\n".join([*head, *sections]), "rows")
    if arguments.picture and dense:
        draw(dense, arguments.picture)


if __name__ == "__main__":
    main()
