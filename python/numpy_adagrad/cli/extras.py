"""Optional modules: the command runs without them, and names the extra that brings them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """End the process with a one-line hint if an import in the block finds no module."""
    os.environ["MPLBACKEND"] = "agg"  # a notebook sets another one, which may not be installed here
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        sys.exit(f'numpy-adagrad: module {name} is missing; install it with pip install "numpy-adagrad[{extra}]"')
