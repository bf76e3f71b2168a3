"""Steps on arrays in files that are then cut short, however the arrays are made. Prints each error.

`python tests/programs/cut_short_gradients.py RULE`
"""

import mmap
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from helpers.dialects import DIALECTS
from numpy.lib.stride_tricks import as_strided
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array
from scipy import sparse

SHAPE, PAGE = (4096, 8), mmap.ALLOCATIONGRANULARITY
SIZE = 4096 * 8 * 4
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "file"


def memmap() -> Array:
    return np.memmap(path, np.float32, "r+", shape=SHAPE)


def mapping(offset: int = 0) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), SIZE - offset, offset=offset)


def frombuffer(buffer: Any) -> Array:
    return np.frombuffer(buffer, np.float32).reshape(-1, 8)


def matrix(data: Array) -> sparse.csr_array:
    made = sparse.csr_array(np.ones(SHAPE, np.float32))
    made.data = data.reshape(-1)
    return made


def with_indices(indices: Array) -> sparse.csr_array:
    made = sparse.csr_array(np.ones(SHAPE, np.float32))
    made.indices = indices.view(np.int32).reshape(-1)
    return made


def with_rows(rows: Array) -> sparse.coo_array:
    made = sparse.coo_array(np.ones(SHAPE, np.float32))
    made.coords = (rows.view(np.int32).reshape(-1), made.coords[1])
    return made


WAYS: dict[str, Callable[[], Any]] = {
    "memmap": memmap,
    "view": lambda: memmap().view(np.ndarray)[::-1].T.T,
    "frombuffer": lambda: frombuffer(mapping()),
    "memoryview": lambda: frombuffer(memoryview(memoryview(mapping())[32:])[:-32]),
    "asarray": lambda: np.asarray(memoryview(mapping()).cast("f", SHAPE)),
    "offset": lambda: frombuffer(mapping(PAGE)),
    "as_strided": lambda: as_strided(memmap(), SHAPE, (0, 4)),
    "broadcast": lambda: np.broadcast_to(memmap()[-1], SHAPE),
    "rows": lambda: RowSparse(np.arange(4096), memmap()),
    "indices": lambda: RowSparse(memmap().view(np.int64)[::2, 0], np.ones((2048, 8), np.float32)),
    "scipy": lambda: matrix(memmap()),
    "csr indices": lambda: with_indices(memmap()),
    "coo indices": lambda: with_rows(memmap()),
}


def error(step: Callable[[], object], param: Array) -> str:
    """Take a step with the whole file, then one with the file cut short, which must change nothing."""
    step()
    before = param.copy()
    os.truncate(path, SIZE - 1)
    try:
        step()
    except ValueError as raised:
        return str(raised)
    finally:
        os.truncate(path, SIZE)
        assert (param[:-1] == before[:-1]).all()  # the cut itself may clear the last byte
    return "no error"


dialect = DIALECTS[sys.argv[1]]
for name, make in WAYS.items():
    np.full(SHAPE, "indices" not in name, np.float32).tofile(path)
    grad = make()
    param = np.ones(grad.shape if isinstance(grad, np.ndarray) else SHAPE, np.float32)
    optimizer = dialect.make({"w": param})
    print(name, error(lambda: optimizer.step([grad]), param))  # noqa: B023
param = frombuffer(mapping())
optimizer = dialect.make({"w": param})
print("parameter", error(lambda: optimizer.step([np.ones(SHAPE, np.float32)]), param))
