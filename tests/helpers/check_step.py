"""The first step of an optimizer beside its oracle, which sees ordinary copies of the same numbers."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from numpy_adagrad.inputs.types import Array


def plain(array: npt.ArrayLike) -> Array:
    """A copy in C order, without subclasses."""
    return np.array(array, order="C", subok=False)


def check_step(
    dialect: Dialect,
    params: Iterable[Array],
    grads: Iterable[npt.ArrayLike | None],
    *,
    scaling: Mapping[str, Any] | None = None,
    groups: Any = None,
    group: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Step, compare, and return the optimizer.

    It is made of the parameters alone, of the one `group` with these options, or of `groups` that hold the parameters.
    """
    params, grads = list(params), list(grads)
    optimizer = dialect.make(groups or ([{"params": params, **group}] if group else params), **options)
    expected, before = [plain(p) for p in params], [None if g is None else plain(g) for g in grads]
    accums = [plain(accum) for accum in dialect.accumulators(optimizer)]
    dialect.first_step(expected, accums, before, scaling=scaling, group=group, **options)
    optimizer.step(grads, **(scaling or {}))
    for i, param in enumerate(params):
        assert_same_bits(plain(param), expected[i], f"parameter {i}")
        assert_same_bits(plain(dialect.accumulator(optimizer, i)), accums[i], f"accumulator {i}")
        grad, original = grads[i], before[i]
        if grad is not None and original is not None:
            assert_same_bits(plain(grad), original, f"gradient {i}, which is only read")
    return optimizer
