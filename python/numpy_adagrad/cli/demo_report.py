"""Run `numpy-adagrad demo`: a progress bar for each rule, two tables and a plot."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ..optimizers import OPTIMIZERS
from . import demo_comparison
from .console import Console
from .demo_network import LAYERS, RATE, Epoch, read_digits, train
from .plotting import COLORS, LABELS, style_axes, write_plot


def run(epochs: int, out: Path, seed: int) -> None:
    """Train with every rule, print the results and plot them into the file `out`."""
    digits = read_digits(seed)
    console = Console()
    columns = (
        TextColumn(f"{{task.description:>{max(map(len, LABELS.values()))}}}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    )
    histories: dict[str, list[Epoch]] = {}
    with Progress(*columns, console=console) as progress:
        for rule in OPTIMIZERS:
            task = progress.add_task(LABELS[rule], total=epochs, note="")
            histories[rule] = []
            for epoch in train(rule, digits, epochs, seed):
                histories[rule].append(epoch)
                progress.update(task, advance=1, note=f"loss {epoch.loss:.4f}, test {epoch.accuracy:.1%}")
        # The plot comes first: whoever reads what is printed, such as `head`, may stop at any line.
        steps = demo_comparison.compare()
        draw(histories, steps, out)
    console.print(table(histories))
    console.print(demo_comparison.table(steps))
    console.print(f"Plot written to {out}", markup=False, highlight=False, soft_wrap=True)


def table(histories: dict[str, list[Epoch]]) -> Table:
    """Summarize the trainings."""
    summary = Table(title=f"Handwritten digits, network {'-'.join(map(str, LAYERS))}, float32, rate {RATE}")
    summary.add_column("optimizer")
    for heading in ("test accuracy", "loss", "time per epoch", "in step()"):
        summary.add_column(heading, justify="right")
    for rule, epochs in histories.items():
        seconds = sum(epoch.seconds for epoch in epochs)
        in_steps = sum(epoch.step_seconds for epoch in epochs) / seconds
        last = epochs[-1]
        time = f"{1000 * seconds / len(epochs):.1f} ms"
        summary.add_row(LABELS[rule], f"{last.accuracy:.2%}", f"{last.loss:.4f}", time, f"{in_steps:.1%}")
    return summary


def draw(histories: dict[str, list[Epoch]], steps: dict[str, demo_comparison.Steps], out: Path) -> None:
    """Plot training loss and test accuracy over the epochs, and the steps beside others."""
    # A Figure without pyplot needs no display and leaves the user's settings alone.
    figure = Figure(figsize=(10, 6.6), dpi=150, layout="constrained")
    panels = figure.subplot_mosaic([["loss", "accuracy"], ["steps", "steps"]], height_ratios=[2, 1])
    left, right = panels["loss"], panels["accuracy"]
    for rule, epochs in histories.items():
        numbers = range(1, len(epochs) + 1)
        style: dict[str, Any] = {"color": COLORS[rule], "linewidth": 1.8, "marker": "o", "markersize": 3}
        left.plot(numbers, [epoch.loss for epoch in epochs], label=LABELS[rule], **style)
        label = f"{LABELS[rule]}: {epochs[-1].accuracy:.1%} at the end"
        right.plot(numbers, [epoch.accuracy for epoch in epochs], label=label, **style)
        for axes in (left, right):
            axes.set_xlim(0.5, len(epochs) + 0.5)
    left.set_yscale("log")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    style_axes(left, "Training loss (mean cross entropy)", "epoch")
    style_axes(right, "Test accuracy", "epoch")
    demo_comparison.draw(panels["steps"], steps)
    figure.suptitle(f"Handwritten digits: the same start and batches, rate {RATE}", fontsize=13)
    write_plot(figure, out)
