"""Steps on arrays in files, which are then cut short. Prints which rows the first step updated, and both errors.

`python tests/programs/cut_short.py RULE`
"""

import os
import sys
import tempfile

import numpy as np
from helpers.dialects import DIALECTS
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array

with tempfile.TemporaryDirectory() as folder:

    def mapped(name: str, shape: tuple[int, ...]) -> Array:
        return np.memmap(f"{folder}/{name}", np.float32, "w+", offset=4096, shape=shape)

    def allocate(param: Array, dtype: "np.dtype[np.float32]", value: complex) -> Array:
        sums = mapped("sums", param.shape)
        sums[...] = value
        return sums

    table = mapped("table", (4096, 8))
    optimizer = DIALECTS[sys.argv[1]].make([table[10:]], allocate=allocate)
    grad = RowSparse([3], np.ones((1, 8), np.float32))
    optimizer.step([grad])
    print((table[13] != 0).all(), np.count_nonzero(table))
    for name in ("table", "sums"):
        size = os.path.getsize(f"{folder}/{name}")
        os.truncate(f"{folder}/{name}", size - 1)
        try:
            optimizer.step([grad])
        except ValueError as error:
            print(error)
        os.truncate(f"{folder}/{name}", size)
    optimizer.step([grad])
