"""Cuts short the files of parameters, of accumulators and of a state dict, then calls all that would read them. Prints
how many calls raised ValueError with nothing changed, then the names of the others.

`python tests/programs/cut_short_calls.py RULE`
"""

import copy
import mmap
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from helpers.dialects import DIALECTS
from numpy_adagrad import RowSparse, translate_state
from numpy_adagrad.inputs.types import Array

SHAPE = (4096, 4)
CUTS = (0, 1, mmap.PAGESIZE, -mmap.PAGESIZE, -1)
"""The sizes that files are cut to; a negative one is taken off the end."""
dialect = DIALECTS[sys.argv[1]]
folder = Path(tempfile.mkdtemp())


def memmap(path: Path, dtype: npt.DTypeLike) -> Array:
    return np.memmap(path, dtype, "r+", shape=SHAPE)


def npy(path: Path, dtype: npt.DTypeLike) -> Array:
    np.save(path.with_suffix(".npy"), np.ones(SHAPE, dtype))
    path.with_suffix(".npy").rename(path)
    array: Array = np.load(path, mmap_mode="r+")
    return array


def private(path: Path, dtype: npt.DTypeLike) -> Array:
    return np.memmap(path, dtype, "c", shape=SHAPE)


def frombuffer(path: Path, dtype: npt.DTypeLike) -> Array:
    with path.open("r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0), dtype).reshape(SHAPE)


def make(path: Path, way: Callable[..., Array], dtype: npt.DTypeLike) -> Array:
    """An array of ones in a new file, mapped in one of the ways above."""
    path.unlink(missing_ok=True)
    np.ones(SHAPE, dtype).tofile(path)
    return way(path, dtype)


def calls(optimizer: Any, grads: Array, state: Any) -> dict[str, Callable[[], object]]:
    rows = RowSparse([1, 4000, 1], np.ones((3, SHAPE[1]), grads.dtype))
    return {
        "step": lambda: optimizer.step([grads]),
        "step by name": lambda: optimizer.step({"w": grads}),
        "step that clips": lambda: optimizer.step([grads], max_norm=1.0),
        "step that may skip": lambda: optimizer.step([grads], on_nonfinite="skip"),
        "closure": lambda: optimizer.step(closure=lambda: (0, [grads])),
        "rows": lambda: optimizer.step([rows]),
        "save": lambda: optimizer.save(folder / "other", parameters=True),
        "load": lambda: optimizer.load(folder / "checkpoint", parameters=True),
        "load_state_dict": lambda: optimizer.load_state_dict(state),
        "deepcopy": lambda: copy.deepcopy(optimizer),
        "copy": lambda: copy.copy(optimizer),
        "pickle": lambda: pickle.dumps(optimizer),
    }


def raises(path: Path, cut: int, call: Callable[[], object], others: list[Array]) -> bool:
    """Whether the call raises ValueError while the file is short, and leaves the other arrays as they are."""
    size, before = path.stat().st_size, [other.tobytes() for other in others]
    os.truncate(path, cut if cut >= 0 else size + cut)
    try:
        call()
    except ValueError as error:
        return "cut short" in str(error) and [other.tobytes() for other in others] == before
    finally:
        os.truncate(path, size)
    return False


def try_optimizer(way: Callable[..., Array], dtype: npt.DTypeLike, cut: int, role: str) -> dict[str, bool]:
    """Call everything of an optimizer whose parameter or accumulator is mapped."""
    param = make(folder / "w", way, dtype) if role == "params" else np.ones(SHAPE, dtype)
    allocate = (lambda *_: make(folder / "w", way, dtype)) if role == "sums" else None
    optimizer = dialect.make({"w": param}, allocate=allocate)
    others = [dialect.accumulator(optimizer, 0) if role == "params" else param]
    state = copy.deepcopy(dialect.make({"w": np.ones(SHAPE, dtype)}).state_dict())
    optimizer.save(folder / "checkpoint", parameters=True)
    every = calls(optimizer, np.ones(SHAPE, dtype), state)
    return {f"{name}, {role}": raises(folder / "w", cut, call, others) for name, call in every.items()}


def try_state(way: Callable[..., Array], dtype: npt.DTypeLike, cut: int) -> dict[str, bool]:
    """Load and translate a state dict whose accumulator is mapped."""
    optimizer = dialect.make({"w": np.ones(SHAPE, dtype)})
    mapped = make(folder / "w", way, dtype)
    state: Any = replaced(optimizer.state_dict(), SHAPE, mapped)
    source, target = ("torch", "mindspore") if str(dialect) == "torch" else ("mindspore", "torch")
    every = {
        "load_state_dict, mapped": lambda: optimizer.load_state_dict(state),
        "translate_state": lambda: translate_state(source, target, state, names=["w"], tensors=False),
    }
    others = [dialect.accumulator(optimizer, 0)]
    return {name: raises(folder / "w", cut, call, others) for name, call in every.items()}


def replaced(value: Any, shape: tuple[int, ...], array: Array) -> Any:
    """The nested dicts with `array` in the place of the arrays of that shape."""
    if isinstance(value, dict):
        return {key: replaced(item, shape, array) for key, item in value.items()}
    return array if isinstance(value, np.ndarray) and value.shape == shape else value


tried: dict[str, bool] = {}
for way in (memmap, npy, private, frombuffer):
    for dtype in ("float16", "float32", "float64"):
        for cut in CUTS:
            results = try_optimizer(way, dtype, cut, "params") | try_optimizer(way, dtype, cut, "sums")
            results |= try_state(way, dtype, cut)
            tried |= {f"{name} ({way.__name__}, {dtype}, {cut})": good for name, good in results.items()}
print(sum(tried.values()), [name for name, good in tried.items() if not good])
