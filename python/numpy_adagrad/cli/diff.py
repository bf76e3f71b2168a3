"""`numpy-adagrad diff`: run two rules side by side and show how they diverge."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from .arguments import LARGEST_SEED, Commands, UsageError, in_range, plot_path, read_arguments
from .extras import needs

RANDOM = {"steps": 300, "size": 1000, "seed": 1}
"""Options of random gradients, with their defaults. They have no meaning for gradients from a file."""


def add_parser(commands: Commands) -> None:
    """Add the command `diff`."""
    text = "Plot how two rules diverge, with their defaults or with arguments of one and their translation."
    parser = commands.add_parser("diff", help=text, description=text)
    parser.add_argument(
        "words",
        metavar="SOURCE|NAME=VALUE",
        nargs="*",
        default=[],
        help="torch (the default) or mindspore, then arguments of its Adagrad, such as lr=0.5",
    )
    parser.add_argument(
        "--grads",
        type=Path,
        metavar="FILE",
        help="gradients, an .npz of float32: NAME holds those of all steps, start.NAME the initial values",
    )
    for name, read, meaning in (
        ("steps", in_range(int, 1), "steps with random gradients"),
        ("size", in_range(int, 1), "elements with random gradients"),
        ("seed", in_range(int, 0, LARGEST_SEED), "seed of the initial values and the random gradients"),
    ):
        parser.add_argument(f"--{name}", type=read, metavar="N", help=f"{meaning} (default: {RANDOM[name]})")
    parser.add_argument(
        "--tolerance",
        type=in_range(float, 0),
        default=1e-6,
        metavar="X",
        help="largest difference that does not count (default: %(default)s)",
    )
    parser.add_argument("--out", type=plot_path, default="diff.png", metavar="FILE", help="plot (default: %(default)s)")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> None:
    """Run both rules, print a report and write the plot."""
    with needs("cli"):
        from . import diff_report
    try:
        source, given = read_words(arguments.words)
        outcome = diff_report.compute(source, given, arguments.grads, **read_random(arguments))
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(str(error)) from None
    diff_report.show(outcome, arguments.tolerance, arguments.out)


def read_words(words: list[str]) -> tuple[str | None, dict[str, Any]]:
    """Read ``[SOURCE] [name=value ...]``; arguments without a source are torch's."""
    if not words:
        return None, {}
    if "=" in words[0]:
        return "torch", read_arguments(words)
    return words[0], read_arguments(words[1:])


def read_random(arguments: Namespace) -> dict[str, int]:
    """Return the options of random gradients; a file of gradients allows none of them."""
    given = {name: value for name in RANDOM if (value := getattr(arguments, name)) is not None}
    if given and arguments.grads is not None:
        raise UsageError(f"argument --{next(iter(given))}: expected none beside --grads, which brings its own")
    return RANDOM | given
