"""Sparse gradients of several steps."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from helpers.values import draw
from numpy_adagrad.inputs.types import Array

SHAPES = [(1,), (9,), (40, 1), (40, 3), (17, 16), (7, 5, 3), (3, 4099), (900, 64)]
KINDS = ("normal", "wide", "awkward")
STEPS = 3


def batches(
    rng: np.random.Generator, param: Array, kind: str, dtype: npt.DTypeLike | None = None
) -> Iterator[tuple[int, Array, Array]]:
    """Indices and values of several steps: unique or not, in any order, sometimes none."""
    for step in range(STEPS):
        rows = len(param)
        count = int(rng.choice([0, 1, min(rows, 2), rows // 2, rows, 3 * rows, 20 * min(rows, 40)]))
        indices = rng.integers(0, rows, count).astype(rng.choice(["i4", "i8"]))
        yield step, indices, draw(rng, (count, *param.shape[1:]), dtype or param.dtype, kind)


def draw_scaling(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    scaling = {"grad_scale": rng.choice(np.array([None, 3.7])), "max_norm": rng.choice(np.array([None, 0.7]))}
    if kind != "normal":
        scaling.pop("max_norm")  # the norm is infinite or not a number
    return {key: value for key, value in scaling.items() if value is not None}
