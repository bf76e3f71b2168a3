"""Optimizers that are saved, and the files that this leaves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy_adagrad.inputs.types import Array


def gradients(value: float = 1.0) -> dict[str, Array]:
    return {"w": np.full(1000, value), "b": np.full(3, value, np.float32)}


def stepped(make: Any, value: float = 1.0) -> Any:
    optimizer = make(gradients(value))
    optimizer.step(gradients(value))
    return optimizer


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


def files(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}
