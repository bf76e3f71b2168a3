"""Draw the figure of a-walk-through-one-step.md: `python docs/internals/draw_step.py` writes one-step.svg beside it.

Each box names a file and a function of the source code; the program checks that both exist before it draws.
"""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON, HOST, CALL = "#e8f0fe", "#e9f5ec", "#fdf1e3"
# (floor, color, boxes), from the top; a box is (file, function, what it does).
FLOORS = [
    (
        "optimizers/",
        PYTHON,
        [
            ("python/numpy_adagrad/optimizers/_base.py", "step", "takes the lock, tries the fast path"),
            ("python/numpy_adagrad/optimizers/_updates.py", "_scheduled_value", "calls a schedule"),
        ],
    ),
    (
        "cpp/python/",
        HOST,
        [
            ("cpp/python/plan_groups.cpp", "arrays_are_current", "the same arrays as bound?"),
            ("cpp/python/group_options.cpp", "unchanged", "the same options?"),
            ("cpp/python/dense_gradients.cpp", "bind_grad", "checks new gradients"),
        ],
    ),
    (
        "cpp/engine/",
        HOST,
        [
            ("cpp/engine/executor.cpp", "prepare", "scalars of each group"),
            ("cpp/engine/executor.cpp", "grad_norm", "only to clip or skip"),
            ("cpp/engine/parallel.cpp", "parallel_for", "chunks for the threads"),
        ],
    ),
    (
        "cpp/kernels/",
        CALL,
        [("cpp/kernels/kernels.cpp", "update", "one loop per dtype, variant and instruction set")],
    ),
    ("cpp/rules/", CALL, [("cpp/rules/torch.hpp", "update", "the formula: two lines")]),
]
WIDTH, HEIGHT, GAP = 9.6, 0.82, 0.34


def draw() -> Figure:
    figure = Figure(figsize=(WIDTH, len(FLOORS) * (HEIGHT + GAP)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, len(FLOORS) * (HEIGHT + GAP)))
    axes.axis("off")
    for row, (floor, color, boxes) in enumerate(FLOORS):
        y = (len(FLOORS) - 1 - row) * (HEIGHT + GAP) + GAP / 2
        axes.text(0.1, y + HEIGHT / 2, floor, va="center", family="monospace", fontsize=10, color="#57606a")
        width = (WIDTH - 1.7) / len(boxes)
        for column, (file, function, text) in enumerate(boxes):
            assert function in (ROOT / file).read_text(), f"{file}: {function}"
            x = 1.5 + column * width
            style: dict[str, Any] = {
                "boxstyle": "round,pad=0,rounding_size=0.08",
                "edgecolor": "#8c959f",
                "linewidth": 0.8,
            }
            axes.add_patch(FancyBboxPatch((x, y), width - 0.25, HEIGHT, facecolor=color, **style))
            center = x + (width - 0.25) / 2
            axes.text(center, y + 0.6 * HEIGHT, function, ha="center", family="monospace", fontsize=10, weight="bold")
            axes.text(center, y + 0.36 * HEIGHT, text, ha="center", va="center", fontsize=8.5)
            axes.text(center, y + 0.1 * HEIGHT, Path(file).name, ha="center", fontsize=7.5, color="#57606a")
            if row > 0 and column + 1 < len(boxes):
                arrow(axes, (x + width - 0.25, y + HEIGHT / 2), (x + width, y + HEIGHT / 2))
        if row == 0:
            arrow(axes, (2.7, y), (2.7, y - GAP))
            arrow(axes, (6.0, y), (6.0, y - GAP), style="<|-|>")  # the core calls back
        elif row + 1 < len(FLOORS):
            arrow(axes, (5.325, y), (5.325, y - GAP))
    return figure


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], style: str = "-|>") -> None:
    patch = FancyArrowPatch(start, end, arrowstyle=style, mutation_scale=9, color="#57606a", shrinkA=0, shrinkB=0)
    axes.add_patch(patch)


if __name__ == "__main__":
    matplotlib.rcParams["svg.hashsalt"] = "one-step"  # the same file each time
    draw().savefig(HERE / "one-step.svg", metadata={"Date": None})
