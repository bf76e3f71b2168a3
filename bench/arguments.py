"""Types of arguments, which reject unusable values before anything is measured."""

from argparse import ArgumentTypeError
from pathlib import Path

from numpy_adagrad.cli.arguments import in_range

COUNT = in_range(int, 1)


def new_file(text: str) -> Path:
    """Read the path of a file to write."""
    path = Path(text)
    if not path.parent.is_dir():
        raise ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def old_file(text: str) -> Path:
    """Read the path of a file that exists."""
    path = Path(text)
    if not path.is_file():
        raise ArgumentTypeError(f"there is no file {path}")
    return path
