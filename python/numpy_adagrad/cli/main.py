"""Read the command line and run one command."""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO, TextIOWrapper
from typing import TextIO

from .. import _core
from . import bench, demo, diff, info, translate
from .arguments import Parser, UsageError

COMMANDS = (info, translate, diff, demo, bench)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the words (by default those of the process) name; return the exit status."""
    prepare_streams()
    try:
        try:
            arguments = parse(words)
            arguments.run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)  # the reader of a pipe, such as `head`, has read enough
    except OSError as error:
        discard(sys.stdout)
        complain(f"{error.filename or 'output'}: {error.strerror or error}")
        return 2
    except UsageError as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def prepare_streams() -> None:
    """Let every message be written: Python has None for a closed stream, and an encoding may lack a letter."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, StringIO())
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def complain(text: str) -> None:
    """Print an error message, if standard error can be written to."""
    try:
        print(f"numpy-adagrad: {text}", file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Drop the buffered output, if the stream has a file: Python flushes again when it exits."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def parse(words: Sequence[str] | None) -> Namespace:
    """Parse the words; the `run` of the result is the function to call with it."""
    parser = make_parser()
    arguments, rest = parser.parse_known_args(words)
    if rest:
        # argparse closes a list of words at the first option that follows it; later words belong to the list, too.
        if "words" not in arguments or any(word.startswith("-") for word in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        arguments.words = [*arguments.words, *rest]
    return arguments


def make_parser() -> Parser:
    """Create the parser of all commands. Without a command it prints the help."""
    parser = Parser(
        prog="numpy-adagrad", description="The Adagrad of PyTorch and of MindSpore, in place on NumPy arrays."
    )
    parser.add_argument("--version", action="version", version=f"numpy-adagrad {_core.version}")
    parser.set_defaults(run=lambda _: parser.print_help())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
