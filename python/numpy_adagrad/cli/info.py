"""`numpy-adagrad info`: print the facts that a bug report needs."""

from argparse import Namespace

from ..config import show_config
from .arguments import Commands


def add_parser(commands: Commands) -> None:
    """Add the command `info`."""
    text = "Print version, compiler, instruction set and threads, for a bug report."
    commands.add_parser("info", help=text, description=text).set_defaults(run=run)


def run(arguments: Namespace) -> None:
    """Print one `key: value` a line."""
    for key, value in show_config().items():
        print(f"{key}: {value}")
