"""The formula of each rule in NumPy, and the comparison of results with it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..inputs.types import Array

# Both are exact in bfloat16 too. Otherwise torch's bits would differ: it rounds them to the dtype of the parameter.
LR = 2.0**-7
EPS = 2.0**-33
INITIAL = 0.1  # the initial accumulator value of MindSpore and optax

Update = Callable[[Array, Array, Array], tuple[Array, Array]]
"""Takes parameters, accumulators and gradients; returns the new parameters and accumulators."""


def memory_bound(p: Array, s: Array, g: Array) -> tuple[Array, Array]:
    return p - g, s + g


def torch(p: Array, s: Array, g: Array) -> tuple[Array, Array]:
    s = s + g * g
    return p - LR * g / (np.sqrt(s) + EPS), s


def mindspore(p: Array, s: Array, g: Array) -> tuple[Array, Array]:
    s = s + g * g
    return p - LR * g * (1 / np.sqrt(s + 1e-8)), s


def optax(p: Array, s: Array, g: Array) -> tuple[Array, Array]:
    s = s + g * g
    return p - LR * g / np.sqrt(s + 1e-7), s


class Formula(NamedTuple):
    """An update and the conditions under which it holds."""

    update: Update
    initial: float = 0.0  # accumulator value
    arguments: Mapping[str, Any] = {}  # of this package's optimizer
    clips: bool = True
    exact: bool = False  # whether the candidates compute the same bits as NumPy


FORMULAS = {
    "memory_bound": Formula(memory_bound, clips=False, exact=True),
    "torch": Formula(torch, arguments={"lr": LR, "eps": EPS}),
    "mindspore": Formula(mindspore, INITIAL, {"learning_rate": LR, "accum": INITIAL}, exact=True),
    "optax": Formula(optax, INITIAL),
}
"""Formulas by name. Each optimizer of this package takes part in the benchmark if its rule has a formula here."""


class Tolerance(NamedTuple):
    """As for `numpy.isclose`."""

    rtol: float
    atol: float


def find_differences(result: Array, expected: Array, tolerance: Tolerance | None) -> list[str]:
    """Return a list with a message if the results are wrong. Without a tolerance, the bits are compared."""
    if tolerance is None:
        bits = f"u{result.itemsize}"
        wrong = result.view(bits) != expected.view(bits)
    else:
        wide = compute_dtype(result)
        wrong = ~np.isclose(result.astype(wide, copy=False), expected.astype(wide, copy=False), *tolerance)
    count = np.count_nonzero(wrong)
    return [f"{count} of {result.size} elements differ from the formula"] if count else []


def compute_dtype(array: Array) -> np.dtype[np.generic]:
    """Return the dtype in which NumPy can compute with an array: float32 for bfloat16, otherwise the array's own."""
    return array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)
