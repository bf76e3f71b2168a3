"""Colors, labels and axes that the plots of the commands share."""

from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..optimizers import OPTIMIZERS

PALETTE = ("#ee4c2c", "#1f6feb", "#2da44e", "#8250df", "#bf8700", "#0f8b8d", "#c2459a", "#57606a")
COLORS = dict(zip(OPTIMIZERS, cycle(PALETTE)))
LABELS = {rule: optimizer.__name__ for rule, optimizer in OPTIMIZERS.items()}


def style_axes(axes: Axes, title: str, counted: str) -> None:
    """Give a panel its title, its legend, a grid and an axis of integers with the given label."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(counted)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
