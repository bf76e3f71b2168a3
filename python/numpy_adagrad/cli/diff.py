"""`numpy-adagrad diff`: run two rules side by side and show how they diverge."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from .arguments import LARGEST_COUNT, LARGEST_SEED, Commands, UsageError, in_range, plot_path, read_arguments
from .extras import needs

DEFAULT_RULES = ("torch", "mindspore")
RANDOM = {"steps": 300, "size": 1000, "seed": 1}
"""Options of random gradients, with their defaults. They have no meaning for gradients from a file."""


def add_parser(commands: Commands) -> None:
    """Add the command `diff`."""
    text = "Plot how two rules diverge, with their defaults or with arguments of one and their translation."
    parser = commands.add_parser("diff", help=text, description=text)
    parser.add_argument(
        "words",
        metavar="RULE|NAME=VALUE",
        nargs="*",
        default=[],
        help="torch (the default) or mindspore, then, if wanted, the other rule, then arguments of the first, "
        "such as lr=0.5; without a rule, they are torch's",
    )
    parser.add_argument(
        "--grads",
        type=Path,
        metavar="FILE",
        help="gradients, an .npz of float32: NAME holds those of all steps, start.NAME the initial values",
    )
    for name, read, meaning in (
        ("steps", in_range(int, 1), "steps with random gradients"),
        ("size", in_range(int, 1, LARGEST_COUNT), "elements with random gradients"),
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
    from ..migration.divergence import settings

    try:
        chosen = settings(*read_words(arguments.words))
        outcome = diff_report.compute(chosen, arguments.grads, **read_random(arguments))
    except MemoryError:
        option = "size" if arguments.grads is None else "grads"
        raise UsageError(f"argument --{option}: expected no more elements than memory holds") from None
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(str(error)) from None
    diff_report.show(outcome, arguments.tolerance, arguments.out)


def read_words(words: list[str]) -> tuple[tuple[str, str], str, dict[str, Any] | None]:
    """Read ``[SOURCE [TARGET]] [name=value ...]``; return both rules, the source and its arguments."""
    from ..migration.registry import RULES

    names = [word for word in words[:1] if "=" not in word]
    names += [word for word in words[1:2] if names and word in RULES]
    arguments = read_arguments(words[len(names) :]) if words else None
    source = names[0] if names else DEFAULT_RULES[0]
    if len(names) == 2:
        return (source, names[1]), source, arguments
    return DEFAULT_RULES if source in DEFAULT_RULES else (source, DEFAULT_RULES[0]), source, arguments


def read_random(arguments: Namespace) -> dict[str, int]:
    """Return the options of random gradients; a file of gradients allows none of them."""
    given = {name: value for name in RANDOM if (value := getattr(arguments, name)) is not None}
    if given and arguments.grads is not None:
        raise UsageError(f"argument --{next(iter(given))}: expected none beside --grads, which brings its own")
    return RANDOM | given
