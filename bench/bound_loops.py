"""The loops of `bounds.cpp`: how to build them, and how to call them on arrays."""

import ctypes
import os
import subprocess
import timeit
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy_adagrad.inputs.types import Array

LINE, PAGE = 64, 4096
PIECE_BYTES = 16 * 1024  # of the parameter, in a piece that one thread takes
LARGE = 64 * 1024  # bytes of the arrays whose place in a page counts
OFFSETS = (0, PAGE // 2)
AHEAD = (0, 1024, 4096)


def build_bounds(folder: str) -> str:
    """Compile the bounds for this machine; return the path of the library."""
    library = f"{folder}/bounds.so"
    flags = ["-O3", "-march=native", "-mprefer-vector-width=512", "-fopenmp", "-fno-math-errno", "-shared", "-fPIC"]
    source = str(Path(__file__).with_name("bounds.cpp"))
    subprocess.run([os.environ.get("CXX", "c++"), "-std=c++17", *flags, "-o", library, source], check=True)
    return library


class Work(ctypes.Structure):
    """The struct of the same name in `bounds.cpp`."""

    _fields_ = (
        ("pieces", ctypes.c_void_p),
        ("count", ctypes.c_ssize_t),
        ("ahead", ctypes.c_ssize_t),
        ("parallel", ctypes.c_ssize_t),
        ("clips", ctypes.c_ssize_t),
        ("read", ctypes.c_uint64),
    )


class Variant(NamedTuple):
    """Where the accumulators are, how far ahead memory is fetched, and whether all threads are used."""

    pieces: Array
    ahead: int
    parallel: bool


class DenseBound:
    """A bound of a step on a list of arrays. `tune` chooses how `run` runs.

    Parameters
    ----------
    library : str
        Returned by `build_bounds`.
    name : str
        `memory_bound` or `divider_bound`, which is for float32.
    params, grads : list of ndarray
        Contiguous. The bound changes the last bits of the parameters, or overwrites them with quotients.
    state_dtype : dtype
        Of the accumulators, which are 1 at first.
    clips : bool
        Whether the gradients are read once more.
    """

    def __init__(
        self,
        library: str,
        name: str,
        params: Sequence[Array],
        grads: Sequence[Array],
        state_dtype: np.dtype[Any],
        clips: bool = False,
    ) -> None:
        self.elements = sum(p.size for p in params)
        self.sums = np.ones(sum(p.size + 2 * PAGE // state_dtype.itemsize for p in params), state_dtype)
        self.arrays = [*params, *grads]  # they must live as long as the pieces
        self.places = [cut(params, place(params, self.sums, offset), self.sums.itemsize, grads) for offset in OFFSETS]
        self.work = Work(clips=clips)
        self.loop = ctypes.CDLL(library)[f"{name}_{params[0].itemsize}_{state_dtype.itemsize}"]
        self.loop.restype = None
        self.reference = ctypes.byref(self.work)
        self.use(Variant(self.places[0], 0, True))

    def run(self) -> None:
        self.loop(self.reference)

    def use(self, variant: Variant) -> None:
        pieces = variant.pieces
        self.work.pieces, self.work.count = pieces.ctypes.data, len(pieces)
        self.work.ahead, self.work.parallel = variant.ahead, variant.parallel

    def tune(self, choices: Sequence[bool] = (True, False)) -> None:
        """Choose the fastest variant, with `parallel` among these."""
        self.use(min((Variant(*each) for each in product(self.places, AHEAD, choices)), key=self.seconds))

    def seconds(self, variant: Variant) -> float:
        self.use(variant)
        return min(timeit.repeat(self.run, number=1 + 300_000 // self.elements, repeat=4))


def place(params: Sequence[Array], memory: Array, offset: int) -> list[int]:
    """Return the addresses of accumulators in this memory, one after another.

    Their cache lines begin where those of the parameters do. Those of large arrays also have the same place in their
    pages, plus an offset.
    """
    found = []
    free = memory.ctypes.data
    for p in params:
        shift = first_line(p) * (p.itemsize - memory.itemsize)
        free += (p.ctypes.data + shift + offset - free) % (PAGE if p.nbytes >= LARGE else LINE)
        found.append(free)
        free += p.size * memory.itemsize
    return found


def first_line(array: Array) -> int:
    """Return the first element that begins a cache line."""
    return -array.ctypes.data % LINE // array.itemsize


def cut(params: Sequence[Array], sums: Sequence[int], itemsize: int, grads: Sequence[Array]) -> Array:
    """Return the pieces of all arrays: rows of three addresses and a length. They begin on lines of the parameters."""
    parts = []
    for p, s, g in zip(params, sums, grads, strict=True):
        begin = np.arange(first_line(p), p.size, PIECE_BYTES // p.itemsize)
        if first_line(p) > 0:
            begin = np.concatenate([[0], begin])
        addresses = [p.ctypes.data + begin * p.itemsize, s + begin * itemsize, g.ctypes.data + begin * g.itemsize]
        parts.append(np.stack([*addresses, np.diff(begin, append=p.size)], axis=1))
    pieces: Array = np.concatenate(parts)
    return pieces


def rows_bound(
    library: str, table: Array, batches: Iterable[tuple[Array, Array]], parallel: bool = True
) -> list[Callable[[], object]]:
    """Return the bounds of sparse steps on a table, one for each batch of indices and values."""
    pointer, length = ctypes.c_void_p, ctypes.c_ssize_t
    function = ctypes.CDLL(library).rows_bound
    function.argtypes = [pointer, pointer, pointer, length, pointer, length, length, length]
    function.restype = ctypes.c_float
    sums = np.ones(table.size + 2 * PAGE // table.itemsize, table.dtype)
    (address,) = place([table], sums, PAGE // 2)
    placed = sums[(address - sums.ctypes.data) // sums.itemsize :]

    def bound(values: Array, touched: Array) -> None:
        pointers = (table.ctypes.data, placed.ctypes.data, values.ctypes.data)
        function(*pointers, len(values), touched.ctypes.data, len(touched), table.shape[1], parallel)

    return [partial(bound, values, np.unique(indices)) for indices, values in batches]
