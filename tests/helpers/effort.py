"""How often a test tries: a few times in the suite, many times in `nox -s faults processes`."""

import os


def times(few: int, many: int) -> int:
    """The first number, or the second one if NUMPY_ADAGRAD_TRIES is `many`."""
    return many if os.environ.get("NUMPY_ADAGRAD_TRIES") == "many" else few
