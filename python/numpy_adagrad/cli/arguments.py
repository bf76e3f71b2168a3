"""Read the arguments of the commands."""

from __future__ import annotations

import ast
import math
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

if TYPE_CHECKING:
    from argparse import _SubParsersAction

Commands: TypeAlias = "_SubParsersAction[Parser]"
Number = TypeVar("Number", int, float)

LARGEST_SEED = 2**32 - 1
LARGEST_COUNT = sys.maxsize // 8
"""The largest number of float64 elements in an array of NumPy; other counts have the same limit."""


class UsageError(Exception):
    """A mistake in the arguments of a command."""


class Parser(ArgumentParser):
    """A parser that raises UsageError and accepts no abbreviated options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError: the caller prints one line, without argparse's usage text."""
        raise UsageError(message)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print the help or the version; argparse's own method says nothing where it cannot write them."""
        print(message, end="", file=file)


def in_range(kind: Callable[[str], Number], least: Number, most: float = math.inf) -> Callable[[str], Number]:
    """Return a function that reads an `int` or `float` and checks its range.

    Examples
    --------
    >>> from numpy_adagrad.cli.arguments import in_range
    >>> in_range(int, 1)("20")
    20
    """
    noun = "an integer" if kind is int else "a number"
    limits = f"of at least {least}" if most == math.inf else f"from {least} to {most}"

    def read(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise ArgumentTypeError(f"expected {noun} {limits}, got {text!r}")
        return value

    return read


def plot_path(text: str) -> Path:
    """Read the path of a plot, and check before any work is done that a file can be there."""
    path = Path(text)
    if path.suffix != ".png":
        raise ArgumentTypeError(f"expected a name ending in .png, such as plot.png, got {text!r}")
    try:
        if not path.parent.is_dir():
            raise ArgumentTypeError(f"there is no folder {path.parent}")
        if path.is_dir():
            raise ArgumentTypeError(f"expected a file, got the folder {path}")
        if path.exists() and not path.is_file():
            raise ArgumentTypeError(f"expected a regular file or a new name, got {path}")
        # Permissions do not tell whether the superuser can write here.
        with path.open("ab") if path.exists() else TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ArgumentTypeError(f"cannot write {path}: {error.strerror}") from None
    return path


def read_arguments(words: Sequence[str]) -> dict[str, Any]:
    """Read words of the form ``name=value``, where the value is a Python literal.

    Raises
    ------
    ValueError
        For a word of another form or a repeated name.

    Examples
    --------
    >>> from numpy_adagrad.cli.arguments import read_arguments
    >>> read_arguments(["lr=0.05", "maximize=True"])
    {'lr': 0.05, 'maximize': True}
    """
    arguments: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise ValueError(f"arguments: expected name=value, got {word!r}")
        if name in arguments:
            raise ValueError(f"{name}: expected one value, got a second: {value}")
        try:
            arguments[name] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise ValueError(f"{name}: expected a number or another Python literal, got {value!r}") from None
    return arguments
