"""Arguments as they are typed or pasted on a command line."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any


def read_arguments(words: Sequence[str]) -> dict[str, Any]:
    """Read words of the form ``name=value``, where the value is a Python literal.

    Raises
    ------
    ValueError
        For a word of another form, or a name that comes twice.

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
            raise ValueError(f"{name}: expected a number or another Python literal, got {value}") from None
    return arguments
