"""Steps of the demo's network beside NumPy's formula and, where it is installed, the framework: time and bits."""

from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from rich.table import Table

from ..benchmark.dense_candidates import DENSE_CANDIDATES
from ..benchmark.dense_comparison import joined
from ..benchmark.dense_workloads import DenseWorkload, Shapes, random_arrays
from ..benchmark.figures import format_duration
from ..optimizers import OPTIMIZERS
from .demo_network import LAYERS
from .plotting import COLORS

STEPS = 300
OTHERS = "#8c959f"


class Steps(NamedTuple):
    """The median time of a step, and how many parameters differ in a bit from ours after all steps."""

    seconds: float
    differing: int
    parameters: int

    @property
    def bits(self) -> str:
        """Say how many parameters differ."""
        return f"{self.differing:,} of {self.parameters:,} differ" if self.differing else "every bit equal"


def compare() -> dict[str, Steps]:
    """Take the same steps with our optimizer, which comes first, with the framework and with NumPy's formula."""
    rule = DENSE_CANDIDATES["NumPy"].formula
    own = OPTIMIZERS[rule].__name__
    shapes: Shapes = [shape for inputs, outputs in pairwise(LAYERS) for shape in ((inputs, outputs), (outputs,))]
    workload = DenseWorkload("demo", shapes)
    initial, grads = random_arrays(workload, seed=1), random_arrays(workload, seed=2)
    results, ours = {}, None
    for name in (own, DENSE_CANDIDATES[own].reference, "NumPy"):
        params = [array.copy() for array in initial]
        try:
            step = DENSE_CANDIDATES[name].make(workload, params, grads)
        except ImportError:  # not installed, or broken
            continue
        seconds = []
        for _ in range(STEPS):
            start = perf_counter()
            step.run()
            seconds.append(perf_counter() - start)
        bits = joined(params).view(np.uint32)
        ours = bits if ours is None else ours
        results[name] = Steps(median(seconds), int(np.count_nonzero(bits != ours)), bits.size)
    return results


def table(results: dict[str, Steps]) -> Table:
    """Summarize the comparison."""
    own = next(iter(results))
    summary = Table(title="One step of this network, the same gradients")
    summary.add_column("implementation")
    summary.add_column("time", justify="right")
    summary.add_column(f"parameters, compared with {own}")
    for name, steps in results.items():
        summary.add_row(name, format_duration(steps.seconds), "" if name == own else steps.bits)
    return summary


def draw(axes: Axes, results: dict[str, Steps]) -> None:
    """Plot the times as bars, ours in its color, and write beside each other bar whether the bits are equal."""
    own = next(iter(results))
    rule = DENSE_CANDIDATES[own].formula
    colors = [COLORS[rule] if name == own else OTHERS for name in results]
    bars = axes.barh(list(results), [1e6 * steps.seconds for steps in results.values()], color=colors, height=0.5)
    notes = [f"{1e6 * one.seconds:.1f} µs" + ("" if name == own else f"\n{one.bits}") for name, one in results.items()]
    axes.bar_label(bars, notes, padding=4)
    axes.set_xlim(0, 1.5e6 * max(steps.seconds for steps in results.values()))
    axes.invert_yaxis()
    axes.set_title("Time of one step, and its bits", loc="left", fontsize=11)
    axes.set_xlabel("microseconds")
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
