"""Optional modules: the command runs without them, and names the extra that brings them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """End the process with a one-line hint if an import in the block finds no module."""
    try:
        yield
    except ModuleNotFoundError as error:
        sys.exit(f'numpy-adagrad: module {error.name} is missing; install it with pip install "numpy-adagrad[{extra}]"')
