"""What the first steps must give: each rule written down once more in NumPy, and the comparison with it."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from ..inputs.types import Array
from .candidates import ACCUM, CANDIDATES, EPS, LR
from .workloads import Workload, dtype_of

CHECKED_STEPS = 3
BLOCK = 2**16  # elements that are computed together, so that 1e8 of them need no more memory than their answer
CLOSE = {"float32": (1e-6, 1e-6), "float64": (1e-14, 1e-14), "bfloat16": (2.0**-7, 2e-4)}  # rtol and atol
# torch sums the squares of a norm in float32: 1e8 of them lose the fourth digit.
CLIPPED = (1e-3, 1e-4)

Moved = tuple[Array, Array]


def floor_update(p: Array, s: Array, g: Array) -> Moved:
    return p - g, s + g


def torch_update(p: Array, s: Array, g: Array) -> Moved:
    s = s + g * g
    return p - LR * g / (np.sqrt(s) + EPS), s


def mindspore_update(p: Array, s: Array, g: Array) -> Moved:
    s = s + g * g
    return p - LR * g * (1 / np.sqrt(s + 1e-8)), s


def optax_update(p: Array, s: Array, g: Array) -> Moved:
    s = s + g * g
    return p - LR * g / np.sqrt(s + 1e-7), s


class Rule(NamedTuple):
    """A formula, where accumulators start, and whether candidates that follow it are bound to its bits."""

    update: Callable[[Array, Array, Array], Moved]
    accum: float
    clips: bool = True
    exact: bool = False


RULES = {
    "floor": Rule(floor_update, 0.0, clips=False, exact=True),
    "torch": Rule(torch_update, 0.0),
    "mindspore": Rule(mindspore_update, ACCUM, exact=True),
    "optax": Rule(optax_update, ACCUM),
}


class Answers:
    """Knows where a workload's parameters must be after the first steps."""

    def __init__(self, workload: Workload, starts: list[Array], grads: list[Array]) -> None:
        self.workload = workload
        self.starts, self.grads = joined(starts), joined(grads)
        self.expected = cache(self._expected)

    def complaints(self, name: str, params: list[Array]) -> list[str]:
        """What is wrong with where a candidate took the parameters."""
        rule, clips = CANDIDATES[name].rule, self.workload.max_norm is not None
        # Clipping rounds the factor and the norm in ways of its own.
        exact = RULES[rule].exact and not clips and self.workload.dtype != "bfloat16"
        close = CLIPPED if clips and "torch" in CANDIDATES[name].modules else CLOSE[self.workload.dtype]
        return differences(joined(params), self.expected(rule), None if exact else close)

    def _expected(self, name: str) -> Array:
        rule, workload = RULES[name], self.workload
        compute = computing_type(self.starts)
        factor = self._clip_factor() if rule.clips and workload.max_norm is not None else None
        result = np.empty_like(self.starts)
        for begin in range(0, result.size, BLOCK):
            block = slice(begin, begin + BLOCK)
            p, g = (array[block].astype(compute) for array in (self.starts, self.grads))
            s = np.full(p.shape, rule.accum, workload.state_dtype).astype(compute)
            if factor is not None:
                g *= compute.type(factor)
            for _ in range(CHECKED_STEPS):
                p, s = rule.update(p, s, g)
                # Rounded as it is stored.
                p = p.astype(result.dtype).astype(compute)
                s = s.astype(workload.state_dtype).astype(compute)
            result[block] = p
        return result

    def _clip_factor(self) -> float:
        assert self.workload.max_norm is not None
        squares = np.square(self.grads, dtype=np.float64)
        return min(1.0, self.workload.max_norm / (float(np.sqrt(squares.sum())) + 1e-6))


def differences(answer: Array, expected: Array, close: tuple[float, float] | None) -> list[str]:
    """What is wrong with an answer, by rtol and atol or, without them, by its bits."""
    if close is None:
        bits = f"u{answer.itemsize}"
        wrong = answer.view(bits) != expected.view(bits)
    else:
        wide = computing_type(answer)
        wrong = ~np.isclose(answer.astype(wide, copy=False), expected.astype(wide, copy=False), *close)
    count = np.count_nonzero(wrong)
    return [f"{count} of {answer.size} elements are not what the formula gives"] if count else []


def computing_type(array: Array) -> np.dtype[np.generic]:
    return np.dtype(np.float32) if array.dtype == dtype_of("bfloat16") else array.dtype


def joined(arrays: list[Array]) -> Array:
    return np.concatenate([array.reshape(-1) for array in arrays]) if len(arrays) > 1 else arrays[0].reshape(-1)
