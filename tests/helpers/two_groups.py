"""An optimizer of two groups: five parameters of various shapes and layouts, after one step."""

from typing import Any

import numpy as np
from helpers.dialects import Dialect
from helpers.values import normal
from numpy_adagrad.inputs.types import Array

SHAPES: dict[str, tuple[int, ...]] = {"a": (3, 4), "b": (70_000,), "c": (), "d": (5, 6), "e": (2, 16)}


def start(dialect: Dialect) -> tuple[Any, dict[str, Array]]:
    """The optimizer and its parameters, one in F order and one strided, after a step that updated them all."""
    params = {name: normal(*shape) for name, shape in SHAPES.items()}
    params["a"], params["d"] = np.asfortranarray(params["a"]), normal(5, 12)[:, ::2]
    groups = [{"params": dict(list(params.items())[i:j])} for i, j in ((0, 2), (2, 5))]
    optimizer = dialect.optimizer(groups)
    optimizer.step(gradients())
    return optimizer, params


def gradients() -> list[Array]:
    return [normal(*shape, seed=2) for shape in SHAPES.values()]
