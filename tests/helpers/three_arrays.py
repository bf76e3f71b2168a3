"""Optimizers of three arrays, with names and groups, after some steps."""

from typing import Any

import numpy as np
from numpy_adagrad.inputs.types import Array

NAMES = ["a", "b", "c"]
SHAPES: list[tuple[int, ...]] = [(17,), (4, 5), ()]
GROUPS = [["a"], ["b", "c"]]


def arrays(seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), np.float32) for shape in SHAPES]


def named(seed: int) -> dict[str, Array]:
    return dict(zip(NAMES, arrays(seed), strict=True))


def in_groups(seed: int, key: str) -> list[dict[str, Any]]:
    values = named(seed)
    rates = [0.5, 0.25]
    return [{"params": {n: values[n] for n in group}, key: rate} for group, rate in zip(GROUPS, rates, strict=True)]


def stepped(optimizer: Any, steps: int = 3) -> Any:
    for seed in range(steps):
        optimizer.step(arrays(10 + seed))
    return optimizer
