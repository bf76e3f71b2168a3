"""Check the arguments of schedules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..inputs.validation import number


def nonnegative(value: Any, label: str) -> float:
    """Return a finite number of at least 0 as a float."""
    result = number(value, label)
    if not 0 <= result < math.inf:
        raise ValueError(f"{label}: expected a finite number of at least 0, got {value!r}")
    return result


def fraction(value: Any, label: str) -> float:
    """Return a number from 0 to 1 as a float."""
    result = nonnegative(value, label)
    if result > 1:
        raise ValueError(f"{label}: expected a number from 0 to 1, got {result}")
    return result


def count(value: Any, label: str, least: int = 1) -> int:
    """Return a whole number as an int."""
    result = number(value, label)
    if not result.is_integer() or result < least:
        raise ValueError(f"{label}: expected a whole number of at least {least}, got {value!r}")
    return value if type(value) is int else int(result)  # a float may not hold it


def counts(values: Any, label: str) -> list[int]:
    """Return whole numbers of at least 0 as a list."""
    try:
        numbers = None if isinstance(values, (str, bytes, bytearray, Mapping)) else list(values)
    except TypeError:
        numbers = None
    if numbers is None:
        raise TypeError(f"{label}: expected a sequence of whole numbers, got {type(values).__name__}")
    return [count(one, label, 0) for one in numbers]


def choice(value: Any, label: str, allowed: tuple[str, str]) -> str:
    """Return one of two words."""
    if not (isinstance(value, str) and value in allowed):
        raise ValueError(f"{label}: expected {allowed[0]!r} or {allowed[1]!r}, got {value!r}")
    return value


def assign(schedule: object, /, **values: Any) -> None:
    """Set fields of a frozen dataclass, in its `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(schedule, name, value)
