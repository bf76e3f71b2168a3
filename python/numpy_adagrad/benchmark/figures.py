"""From the times of rounds to the figures that are shown."""

import itertools
import statistics
from collections.abc import Iterable, Sequence


def kept(seconds: Iterable[float], quiet: Iterable[bool]) -> list[float]:
    """The times of the rounds that count."""
    return list(itertools.compress(seconds, quiet))


def median_ratio(seconds: Sequence[float], base: Sequence[float]) -> float:
    """The times of both were taken in the same rounds, so it is these that are compared."""
    return statistics.median(one / other for one, other in zip(seconds, base, strict=True))


def duration(seconds: float) -> str:
    return f"{digits(seconds * 1e3)} ms" if seconds >= 1e-3 else f"{digits(seconds * 1e6)} µs"


def multiple(ratio: float) -> str:
    return f"{digits(ratio)}x"


def digits(number: float) -> str:
    """Three of them."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{number:#.3g}".rstrip(".")
