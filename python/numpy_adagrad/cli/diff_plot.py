"""The plot of `numpy-adagrad diff`: one element under both rules, and the distances of all elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..migration.distance import Distance, Distances, Floats, first_beyond
from .plotting import COLORS, LABELS, style_axes, write_plot

LARGEST, MEDIAN, MARK = "#24292f", "#8c959f", "#a3120a"


def draw(
    trajectories: Mapping[str, Floats], name: str, distances: Sequence[Distance], tolerance: float, out: Path
) -> None:
    """Plot the values of the element called `name` by rule, and the distances, into the file `out`."""
    figure = Figure(figsize=(10, 4.6), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    # Where the lines coincide, the gaps of the second show the first.
    for (rule, line), style in zip(trajectories.items(), ("-", (0, (4, 3))), strict=True):
        left.plot(line, color=COLORS[rule], linewidth=1.8, linestyle=style, label=LABELS[rule])
    draw_distances(right, distances, tolerance)
    left.set_ylabel(name if len(name) <= 40 else f"...{name[-37:]}", parse_math=False)
    style_axes(left, "The element with the largest distance at the end", "step")
    style_axes(right, "Distance between the rules, over all elements", "step")
    for axes in (left, right):
        axes.set_xlim(-0.02 * len(distances), 1.02 * len(distances))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False)
    figure.suptitle("Two rules, the same start and gradients", fontsize=13)
    write_plot(figure, out)


def draw_distances(axes: Axes, distances: Sequence[Distance], tolerance: float) -> None:
    """Plot distances on a log scale. 0 and infinity have no logarithm: they are drawn in bands below and above."""
    lines = {
        "largest": np.array([one.largest for one in distances]),
        "median": np.array([one.median for one in distances]),
    }
    bottom, top = decades(np.concatenate([*lines.values(), [tolerance]]))
    spacing = (top - bottom) // 8 + 1
    ticks = {10.0**power: f"$10^{{{power}}}$" for power in range(bottom, top + 1, spacing)}
    limits = [bottom, top]
    for value, edge, end in ((0.0, bottom, bottom - spacing), (np.inf, top, top + spacing)):
        if any(value in line for line in lines.values()):
            axes.axhspan(10.0**edge, 10.0**end, color="#eef2f6", linewidth=0)
            ticks[10 ** ((edge + end) / 2)] = "exactly 0" if value == 0 else "infinite"
            limits.append(end)
    axes.set(yscale="log", ylim=(10.0 ** min(limits), 10.0 ** max(limits)))
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.yaxis.minorticks_off()

    steps = np.arange(1, len(distances) + 1)
    drawn = {}
    styles = (LARGEST, 4, 0.35), (MEDIAN, 3, 0.65)
    for (label, line), (color, markersize, depth) in zip(lines.items(), styles, strict=True):
        # Level with the label of the band, unless both lines are in it.
        below, above = (depth if all(value in other for other in lines.values()) else 0.5 for value in (0, np.inf))
        zero, infinite = 10 ** (bottom - below * spacing), 10 ** (top + above * spacing)
        drawn[label] = np.where(line == 0, zero, np.where(np.isinf(line), infinite, line))
        axes.plot(steps, drawn[label], ".", color=color, markersize=markersize, label=label)
    if tolerance > 0:
        axes.axhline(tolerance, color=MARK, linewidth=1, linestyle="--", label=f"tolerance {tolerance:g}")
    first = first_beyond(distances, tolerance)
    if first is not None:
        axes.plot(
            first,
            drawn["largest"][first - 1],
            "o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor=MARK,
            markeredgewidth=1.5,
            label=f"first exceeded at step {first:,}",
        )


def decades(values: Distances) -> tuple[int, int]:
    """Return powers of ten that enclose all values but 0 and infinity, within the range of float32, with a margin."""
    powers = np.log10(np.clip(values[(values > 0) & np.isfinite(values)], 1e-45, 1e39))
    if not powers.size:
        return -8, 0
    return int(np.floor(powers.min() - 0.1)), int(np.ceil(powers.max() + 0.1))
