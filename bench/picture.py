"""The picture of the documentation: the memory throughput of each candidate in float32."""

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy_adagrad.benchmark.candidates import MEMORY_BOUND
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES
from numpy_adagrad.benchmark.dense_workloads import DENSE_WORKLOADS
from numpy_adagrad.benchmark.figures import format_threads
from result import Measurement


def draw(groups: list[tuple[int, list[Measurement]]], path: Path) -> None:
    """Draw, for each number of threads, single arrays over their length and lists of arrays beside them."""
    figure = Figure(figsize=(7 * len(groups), 5.4), layout="constrained")
    panels = figure.subplots(1, 2 * len(groups), sharey=True, squeeze=False, width_ratios=[3, 1] * len(groups))[0]
    for k, (count, measurements) in enumerate(groups):
        float32 = [each for each in measurements if DENSE_WORKLOADS[each.workload].kind == "float32"]
        left, right = panels[2 * k : 2 * k + 2]
        draw_arrays(left, [each for each in float32 if arrays_in(each) == 1])
        draw_lists(right, [each for each in float32 if arrays_in(each) > 1])
        left.set_title(format_threads(count), loc="left")
        for axes in (left, right):
            axes.grid(alpha=0.3)
    panels[0].set_ylabel("GB/s that a step has to read and write")
    panels[0].set_yscale("log")
    panels[0].yaxis.set_major_formatter("{x:g}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, dpi=150)


def arrays_in(measured: Measurement) -> int:
    return len(DENSE_WORKLOADS[measured.workload].shapes)


def draw_arrays(axes: Axes, measurements: list[Measurement]) -> None:
    for name in present(measurements):
        points = [
            (DENSE_WORKLOADS[each.workload].elements, throughput(each, name))
            for each in measurements
            if name in each.seconds
        ]
        line: dict[str, Any] = {"linestyle": "--"} if name == MEMORY_BOUND else {"marker": "o", "markersize": 4}
        axes.plot(*zip(*sorted(points), strict=True), label=name, **style(name), **line)
    axes.set(xscale="log", xlabel="elements in one array")


def draw_lists(axes: Axes, measurements: list[Measurement]) -> None:
    for name in present(measurements):
        points = [(each.workload, throughput(each, name)) for each in measurements if name in each.seconds]
        mark: dict[str, Any] = (
            {"marker": "_", "markersize": 24} if name == MEMORY_BOUND else {"marker": "o", "markersize": 6}
        )
        axes.plot(*zip(*points, strict=True), linestyle="", **style(name), **mark)
    axes.set_xlabel("lists of arrays")
    axes.margins(x=0.25)
    axes.tick_params("x", labelrotation=30)


def present(measurements: Iterable[Measurement]) -> list[str]:
    names = {name for measured in measurements for name in measured.seconds}
    return [name for name in DENSE_CANDIDATES if name in names]


def throughput(measured: Measurement, name: str) -> float:
    return measured.bytes / statistics.median(measured.seconds[name]) / 1e9


def style(name: str) -> dict[str, Any]:
    """Return the style of a candidate in every panel; this package's optimizers are drawn on top."""
    position = list(DENSE_CANDIDATES).index(name)
    return {"color": "black" if name == MEMORY_BOUND else f"C{position - 1}", "zorder": 20 - position}
