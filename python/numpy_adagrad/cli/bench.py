"""`numpy-adagrad bench`: time one step of each implementation that is installed."""

from argparse import Namespace

from .arguments import LARGEST_COUNT, Commands, in_range
from .extras import needs


def add_parser(commands: Commands) -> None:
    """Add the command `bench`."""
    text = "Time one step of this package, of NumPy and of each library installed: torch, numba, optax, MindSpore."
    parser = commands.add_parser("bench", help=text, description=text)
    parser.add_argument(
        "--rounds",
        type=in_range(int, 1, LARGEST_COUNT),
        default=11,
        metavar="N",
        help="measurements of each implementation, in turn (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> None:
    """Measure and print a table."""
    with needs("cli"):
        from . import bench_report
    bench_report.run(arguments.rounds)
