"""The picture of the page on scaling: the model beside measurements, and what it says of larger clusters."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpi_scaling import TABLE
from scaling_model import Link, Work, row_bytes_sent, seconds

COLORS = ["tab:orange", "tab:blue", "tab:green"]
ROW_COLORS = ["tab:red", "tab:purple"]
STYLES = {"Replicated": "-", "Sharded": "--"}
MEASURED, LARGE = 10**6, 10**8
RANKS = 2 ** np.arange(1, 11)
Points = dict[str, list[tuple[str, int, int, float]]]


def draw_scaling(
    measured: Points,
    rows: dict[str, list[tuple[int, float]]],
    links: dict[str, Link],
    assumed: dict[str, Link],
    work: Work,
    path: Path,
) -> None:
    figure = Figure(figsize=(8, 11), layout="constrained")
    model, large, table = figure.subplots(3, 1)
    draw_measured(model, measured, links, work)
    draw_large(large, links | assumed, work)
    draw_rows(table, rows)
    figure.savefig(path, dpi=130)


def draw_measured(axes: Axes, measured: Points, links: dict[str, Link], work: Work) -> None:
    style(axes, "Model (line) and measurements (points): Sharded, 1,000,000 elements", "seconds of a step")
    ranks = [2, 3, 4, 6, 8]
    for (name, link), color in zip(links.items(), COLORS, strict=False):
        times = [seconds("Sharded", n, MEASURED, link, work) for n in ranks]
        axes.plot(ranks, times, color=color)
        own = [(n, t) for step, n, elements, t in measured[name] if (step, elements) == ("Sharded", MEASURED)]
        axes.scatter(*zip(*own, strict=True), color=color, zorder=3)
        label(axes, name, ranks[-1], times[-1], color)
    axes.set_xticks(ranks, map(str, ranks))
    axes.minorticks_off()
    axes.set_yticks([0.03, 0.1, 0.3, 1], ["0.03", "0.1", "0.3", "1"])
    axes.set(xlim=(1.9, 12), ylim=(0.02, 1.2))


def draw_large(axes: Axes, links: dict[str, Link], work: Work) -> None:
    style(axes, f"Model: a step on {LARGE:,} elements", "seconds of a step")
    for (name, link), color in zip(links.items(), COLORS, strict=False):
        for step, line in STYLES.items():
            times = [seconds(step, int(n), LARGE, link, work) for n in RANKS]
            axes.plot(RANKS, times, line, color=color)
        label(axes, name, int(RANKS[-1]), times[-1], color)
    for step, line in STYLES.items():
        axes.plot([], [], line, color="black", label=step)
    axes.legend(frameon=False, loc="upper left")
    axes.set_ylim(top=3e3)
    power_ticks(axes)


def draw_rows(axes: Axes, rows: dict[str, list[tuple[int, float]]]) -> None:
    batch, dim = TABLE["batch"], TABLE["dim"]
    style(axes, f"Formula (line) and counted bytes (points): {batch:,} rows of {dim} on each rank", "MB sent by a rank")
    for (name, counted), color in zip(rows.items(), ROW_COLORS, strict=True):
        sent = [row_bytes_sent(name, int(n), batch, batch, dim) / 1e6 for n in RANKS]
        axes.plot(RANKS, sent, color=color)
        axes.scatter([n for n, _ in counted], [size / 1e6 for _, size in counted], color=color, zorder=3)
        label(axes, name, int(RANKS[-1]), sent[-1], color)
    power_ticks(axes)


def style(axes: Axes, title: str, ylabel: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set(xscale="log", yscale="log", xlabel="ranks", ylabel=ylabel)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def label(axes: Axes, text: str, x: float, y: float, color: str) -> None:
    axes.annotate(text, (x, y), (8, 0), textcoords="offset points", color=color, va="center")


def power_ticks(axes: Axes) -> None:
    axes.set_xticks(RANKS, [f"{n:,}" for n in RANKS])
    axes.minorticks_off()
    axes.set_xlim(1.8, 6000)
    axes.yaxis.set_major_formatter("{x:g}")
