"""Colors, labels and axes that the plots of the commands share."""

from itertools import cycle
from pathlib import Path
from warnings import catch_warnings, filterwarnings

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..optimizers import OPTIMIZERS
from .arguments import UsageError

PALETTE = ("#ee4c2c", "#1f6feb", "#2da44e", "#8250df", "#bf8700", "#0f8b8d", "#c2459a", "#57606a")
COLORS = dict(zip(OPTIMIZERS, cycle(PALETTE)))
LABELS = {rule: optimizer.__name__ for rule, optimizer in OPTIMIZERS.items()}


def write_plot(figure: Figure, out: Path) -> None:
    """Write a plot; raise UsageError if the system cannot."""
    try:
        with catch_warnings():
            filterwarnings("ignore", "Glyph")  # the font may lack letters of a name
            figure.savefig(out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None


def style_axes(axes: Axes, title: str, counted: str) -> None:
    """Give a panel its title, its legend, a grid and an axis of integers with the given label."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(counted)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
