"""Large steps. Prints by how many bytes the peak of memory exceeds the memory used before.

`python tests/programs/peak_memory.py RULE CASE OPTIONS`: the options of the step are JSON. The cases are dense
and rows, with 100 million elements, of which rows centralizes rows of 16; and separate and repeated, with 524,289
indices of rows that seldom repeat and that often do.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from helpers.dialects import DIALECTS
from helpers.process import memory
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array

ELEMENTS, INDICES, WIDTH = 100_000_000, 2**19 + 1, 20


def sparse(rows: int) -> tuple[Array, Any]:
    indices = np.random.default_rng(0).integers(rows, size=INDICES)
    return np.ones((rows, WIDTH), np.float32), RowSparse(indices, np.ones((INDICES, WIDTH), np.float32))


CASES: dict[str, Callable[[], tuple[Array, Any]]] = {
    "dense": lambda: (np.ones(ELEMENTS, np.float32), np.ones(ELEMENTS, np.float32)),
    "rows": lambda: (np.ones((ELEMENTS // 16, 16), np.float32), np.ones((ELEMENTS // 16, 16), np.float32)),
    "separate": lambda: sparse(8 * INDICES),
    "repeated": lambda: sparse(INDICES // 6),
}

rule, case, options = sys.argv[1:]
param, grad = CASES[case]()
group = {"params": [param], "grad_centralization": True} if case == "rows" else {"params": [param]}
optimizer = DIALECTS[rule].optimizer([group])
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
optimizer.step([grad], **json.loads(options))
print(memory("VmHWM") - before)
