"""Imports the package and steps in a process in which torch has set subnormals to be flushed to zero.

Prints whether they are flushed before and after, then whether the results are those of a step without the mode, and
whether that step changes all elements to others than zero.

`python tests/programs/flushing.py RULE`
"""

import sys

import torch

torch.set_flush_denormal(True)  # before NumPy and the package are imported

import numpy as np  # noqa: E402
from helpers.bits import bit_patterns  # noqa: E402
from helpers.dialects import DIALECTS  # noqa: E402
from numpy_adagrad.inputs.types import Array  # noqa: E402

least = np.array([5e-324])


def flushes() -> bool:
    return bool((least * 1.0 == 0)[0])


def train(rule: str) -> Array:
    """One step by which subnormal elements change by subnormal amounts."""
    dialect, param = DIALECTS[rule], np.full(1_000_000, 2.0**-1040)
    optimizer = dialect.make([param], **{dialect.rate: 2.0**-100})
    optimizer.step([np.full(1_000_000, 2.0**-940)])
    return param


flushed = flushes()
results = train(sys.argv[1])
print(flushed, flushes())
torch.set_flush_denormal(False)
expected = train(sys.argv[1])
print(
    np.array_equal(bit_patterns(results), bit_patterns(expected)),
    bool(((expected != 0) & (expected != 2.0**-1040)).all()),
)
