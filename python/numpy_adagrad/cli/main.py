"""The `numpy-adagrad` command: what works with NumPy alone, and what to install for the rest."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .. import show_config


def main() -> None:
    """Run the command line."""
    # A bug report must be possible from the barest installation.
    if sys.argv[1:] == ["info"]:
        print_info()
        return
    with needs("cli"):
        from . import commands
    sys.exit(commands.run(sys.argv[1:]))


def print_info() -> None:
    """Print what a bug report should contain, one `key: value` a line."""
    for key, value in show_config().items():
        print(f"{key}: {value}")


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn a missing optional module into the one line that says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        sys.exit(f'numpy-adagrad: module {error.name} is missing; install it with pip install "numpy-adagrad[{extra}]"')
