"""Imports the package after NumPy and prints its time, its memory and its side effects as JSON."""

import json
import sys
from time import perf_counter

import numpy as np
from helpers.process import memory

LATE = ["numpy_adagrad.checkpoint.content", "numpy_adagrad.migration"]
OPTIONAL = {"torch", "mindspore", "ml_dtypes", "scipy", "safetensors", "typer", "rich", "matplotlib"}

tiny, least = np.float32(1e-38), 5e-324
memory_before, start = memory("VmRSS"), perf_counter()

import numpy_adagrad  # noqa: E402 - measured

seconds, memory_after = perf_counter() - start, memory("VmRSS")
results = {
    "seconds": seconds,
    "bytes": memory_after - memory_before,
    "optional": sorted(OPTIONAL & set(sys.modules)),
    "late": [name for name in LATE if name in sys.modules],
    "missing_names": sorted(set(numpy_adagrad.__all__) - set(dir(numpy_adagrad))),
    "keeps_subnormals": bool(
        tiny * np.float32(0.1) > 0 and least * 1.0 == 5e-324 and np.full(99, least).sum() == 99 * least
    ),
}

from numpy_adagrad import translate  # noqa: E402 - imported after the results above

results["late_on_demand"] = [name for name in LATE if name in sys.modules], translate.__module__
print(json.dumps(results))
