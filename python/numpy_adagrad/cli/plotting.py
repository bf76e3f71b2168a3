"""What the pictures of the commands have in common."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

COLORS = {"torch": "#ee4c2c", "MindSpore": "#1f6feb"}


def dress(axes: Axes, title: str, counted: str) -> None:
    """Give a panel its title, its legend, and an axis of what is counted."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(counted)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
