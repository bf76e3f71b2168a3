"""`numpy-adagrad demo`: train a small network with every rule."""

from argparse import Namespace

from .arguments import LARGEST_SEED, Commands, in_range, plot_path
from .extras import needs


def add_parser(commands: Commands) -> None:
    """Add the command `demo`."""
    text = "Train a small network on handwritten digits with every rule; plot loss and accuracy."
    parser = commands.add_parser("demo", help=text, description=text)
    parser.add_argument(
        "--epochs",
        type=in_range(int, 1),
        default=30,
        metavar="N",
        help="passes over the training images (default: %(default)s)",
    )
    parser.add_argument("--out", type=plot_path, default="demo.png", metavar="FILE", help="plot (default: %(default)s)")
    parser.add_argument(
        "--seed",
        type=in_range(int, 0, LARGEST_SEED),
        default=1,
        metavar="N",
        help="seed of the split, the initial weights and the batches (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> None:
    """Train, print a summary and write the plot."""
    with needs("demo"):
        from . import demo_report
    demo_report.run(arguments.epochs, arguments.out, arguments.seed)
