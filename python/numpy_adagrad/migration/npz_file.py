"""The `.npz` file of `numpy-adagrad diff --grads`: the recorded gradients of a real training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .distance import Floats
from .divergence import Problem

START = "start."


def read_problem(path: Path) -> Problem:
    """Read the gradients of each step and the start of the parameters.

    Parameters
    ----------
    path : Path
        A file of `numpy.savez` with float32 arrays. An array with the name of a parameter holds its gradients: the
        first axis is the step, the others are the parameter's. They are gradients of the loss itself, neither scaled
        nor negated. ``start.<name>`` holds the parameter's values before the first step; without it they are zeros.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        For a file that is missing, damaged or not an `.npz` file, that holds no gradients, or that holds Python
        objects (nothing is unpickled), and for arrays whose numbers of steps or shapes do not match.
    TypeError
        For an array of another dtype.

    Examples
    --------
    >>> import numpy as np
    >>> W_grads = np.ones((300, 64, 10), np.float32)                # 300 steps
    >>> np.savez("grads.npz", **{"W": W_grads, "start.W": np.zeros((64, 10), np.float32)})  # doctest: +SKIP
    """
    arrays = read_arrays(path)
    grads = {name: array for name, array in arrays.items() if not name.startswith(START)}
    if not grads:
        raise ValueError(f"{path}: expected an array of gradients for each parameter, got none")
    for name, array in grads.items():
        if array.ndim == 0:
            raise ValueError(f"{path}, {name!r}: expected the step as first axis, got an array of shape ()")
    counts = {name: len(array) for name, array in grads.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"{path}: expected the same number of steps in every array, got {counts}")
    steps = next(iter(counts.values()))
    if not sum(array.size for array in grads.values()):
        raise ValueError(f"{path}: expected at least one step of one element, got {counts}")
    start = {name: np.zeros(array.shape[1:], np.float32) for name, array in grads.items()}
    for name, array in arrays.items():
        if name.startswith(START):
            fill_start(start, name, array, path)

    def each_step() -> Iterator[dict[str, Floats]]:
        return ({name: array[step] for name, array in grads.items()} for step in range(steps))

    return Problem(start, steps, each_step)


def read_arrays(path: Path) -> dict[str, Floats]:
    """Read all arrays of a file. NumPy raises exceptions of many kinds for a damaged one."""
    try:
        opened = path.open("rb")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    with opened:
        try:
            file = np.load(opened, allow_pickle=False)
        except Exception:
            raise ValueError(f"{path}: expected an .npz file, got another or a damaged one") from None
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError(f"{path}: expected an .npz file, got one array without a name")
        with file:
            return {name: read_array(file, name, path) for name in file.files}


def read_array(file: Any, name: str, path: Path) -> Floats:
    try:
        array = file[name]
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path}, {name!r}: {reason}") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}, {name!r}: expected an array, got something else")
    if array.dtype != np.float32:
        cure = "; cast it with .astype(np.float32)" if array.dtype.kind == "f" else ""
        raise TypeError(f"{path}, {name!r}: expected float32, got {array.dtype}{cure}")
    return array


def fill_start(start: dict[str, Floats], label: str, array: Floats, path: Path) -> None:
    name = label.removeprefix(START)
    if name not in start:
        raise ValueError(f"{path}, {label!r}: expected the name of an array of gradients, got {name!r}")
    if array.shape != start[name].shape:
        raise ValueError(f"{path}, {label!r}: expected shape {start[name].shape}, got {array.shape}")
    start[name] = array
