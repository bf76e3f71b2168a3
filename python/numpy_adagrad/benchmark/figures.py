"""Statistics over rounds, and the formats of numbers in tables."""

import itertools
import statistics
from collections.abc import Iterable, Sequence


def idle_only(seconds: Iterable[float], idle: Iterable[bool]) -> list[float]:
    """Return the times of the rounds in which the machine was otherwise idle."""
    return list(itertools.compress(seconds, idle))


def median_ratio(seconds: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios within rounds."""
    return statistics.median(one / other for one, other in zip(seconds, base, strict=True))


def format_duration(seconds: float) -> str:
    """Return a time in milliseconds or microseconds."""
    return f"{three_digits(seconds * 1e3)} ms" if seconds >= 1e-3 else f"{three_digits(seconds * 1e6)} µs"


def format_ratio(ratio: float) -> str:
    """Return a ratio such as 1.25x."""
    return f"{three_digits(ratio)}x"


def format_threads(count: int) -> str:
    """Return a number of threads in words."""
    return f"{count} thread" if count == 1 else f"{count} threads"


def three_digits(number: float) -> str:
    """Return a number with three significant digits."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{number:#.3g}".rstrip(".")
