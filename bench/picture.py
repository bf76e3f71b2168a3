"""The pictures of the documentation, one idea each: how fast a step is, and what a pause before it costs."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy_adagrad.benchmark.candidates import MEMORY_BOUND
from numpy_adagrad.benchmark.dense_workloads import DENSE_WORKLOADS
from numpy_adagrad.benchmark.figures import format_duration, format_threads
from result import Measurement

OURS = "TorchAdagrad"
COLORS = {
    OURS: "black",
    MEMORY_BOUND: "firebrick",
    "torch-fused": "tab:orange",
    "numba": "tab:green",
    "optax": "tab:purple",
    "torch-default": "tab:brown",
    "NumPy": "tab:blue",
    "MindSpore": "tab:gray",
}
"""The lines that are drawn. MindSporeAdagrad is left out, which is as fast as TorchAdagrad, and torch-foreach."""
DASHED = {MEMORY_BOUND: "--"}
Points = list[tuple[float, float]]


def draw_throughput(threads: int, measurements: list[Measurement], path: Path) -> None:
    """Draw the memory throughput of steps on one float32 array over its length."""
    lines: dict[str, Points] = {}
    for each in measurements:
        workload = DENSE_WORKLOADS[each.workload]
        if workload.kind == "float32" and len(workload.shapes) == 1:
            for name in COLORS.keys() & each.seconds.keys():
                speed = each.bytes / statistics.median(each.seconds[name]) / 1e9
                lines.setdefault(name, []).append((workload.elements, speed))
    axes = axes_with_title(f"A step on a large array runs at the memory bound\n{format_threads(threads)}, float32")
    axes.set_ylabel("GB/s read and written, higher is faster")
    axes.yaxis.set_major_formatter("{x:g}")
    draw_lines(axes, lines)
    save(axes, path)


def draw_pauses(found: list[dict[str, Any]], path: Path) -> None:
    """Draw the time of a step after a pause over the length of its array, with the largest number of threads."""
    threads = max(each["threads"] for each in found)
    lines: dict[str, Points] = {}
    for each in found:
        if each["threads"] == threads:
            for name, seconds in each["seconds"].items():
                lines.setdefault(name, []).append((each["workload"]["length"], statistics.median(seconds)))
    title = "After matrix products, torch's step waits for OpenBLAS's threads; ours does not"
    axes = axes_with_title(f"{title}\n{format_threads(threads)}, 3 ms of matrix products before each step")
    axes.set_ylabel("time of a step, lower is faster")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: format_duration(seconds).replace(".00", "")))
    draw_lines(axes, lines)
    save(axes, path)


def axes_with_title(title: str) -> Axes:
    axes = Figure(figsize=(7, 4.4), layout="constrained").subplots()
    axes.set_title(title, loc="left", fontsize=11)
    axes.set(xscale="log", yscale="log", xlabel="elements")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def draw_lines(axes: Axes, lines: Mapping[str, Points]) -> None:
    """Draw the lines with their names at their right ends, this package's thick."""
    for name, points in lines.items():
        points.sort()
        style: dict[str, Any] = {"linewidth": 3.5, "zorder": 3} if name == OURS else {"linewidth": 1.2}
        axes.plot(*zip(*points, strict=True), color=COLORS[name], linestyle=DASHED.get(name, "-"), **style)
    names = sorted(lines, key=lambda name: lines[name][-1][1])
    heights = apart(axes, [lines[name][-1][1] for name in names])
    for name, height in zip(names, heights, strict=True):
        axes.annotate(
            name.replace("_", " "),
            (lines[name][-1][0], height),
            (8, 0),
            textcoords="offset points",
            va="center",
            color=COLORS[name],
            weight="bold" if name == OURS else "normal",
        )


def apart(axes: Axes, heights: list[float]) -> list[float]:
    """Return heights in ascending order that are far enough apart for labels on a logarithmic axis."""
    low, high = axes.get_ylim()
    least = (high / low) ** 0.055
    result: list[float] = []
    for height in heights:
        result.append(max(height, result[-1] * least) if result else height)
    return result


def save(axes: Axes, path: Path) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(path, dpi=150)
