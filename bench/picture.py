"""The pictures of the documentation, one idea each: how fast a step is, and what a pause before it costs."""

import math
import statistics
from collections.abc import Mapping
from itertools import accumulate
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
STYLES: dict[str, dict[str, Any]] = {
    OURS: {"linewidth": 3.5, "zorder": 3},
    MEMORY_BOUND: {"linewidth": 1.8, "linestyle": "--", "zorder": 4},
}
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
    """Draw the lines with their names at their right ends, this package's thick, and the bound with its name on top."""
    for name, points in lines.items():
        points.sort()
        axes.plot(*zip(*points, strict=True), color=COLORS[name], **STYLES.get(name, {"linewidth": 1.2}))
    if MEMORY_BOUND in lines:
        top = max(lines[MEMORY_BOUND], key=lambda point: point[1])
        write_label(axes, "memory bound", top, (0, 8), COLORS[MEMORY_BOUND], ha="center")
    names = sorted(lines.keys() - {MEMORY_BOUND}, key=lambda name: lines[name][-1][1])
    heights = apart(axes, [lines[name][-1][1] for name in names])
    for name, height in zip(names, heights, strict=True):
        weight = "bold" if name == OURS else "normal"
        write_label(axes, name, (lines[name][-1][0], height), (8, 0), COLORS[name], va="center", weight=weight)


def write_label(
    axes: Axes, text: str, point: tuple[float, float], offset: tuple[float, float], color: str, **options: Any
) -> None:
    axes.annotate(text, point, offset, textcoords="offset points", color=color, **options)


def apart(axes: Axes, heights: list[float]) -> list[float]:
    """Move labels on a logarithmic axis so far apart that they can be read. The heights ascend."""
    low, high = axes.get_ylim()
    least = (high / low) ** 0.055
    raised = accumulate(heights, lambda below, height: max(height, below * least))
    lowered = list(accumulate(reversed(heights), lambda above, height: min(height, above / least)))
    return [math.sqrt(one * other) for one, other in zip(raised, reversed(lowered), strict=True)]


def save(axes: Axes, path: Path) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(path, dpi=150)
