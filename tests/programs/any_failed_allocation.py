"""Calls in which the n-th allocation of the process fails, for each n: Python's own, NumPy's, and the core's.

A call may succeed all the same. Otherwise it raises an error of memory, nothing has changed, and the next call is
right. A file is the old or the new one. Prints how many allocations a call makes, and whether all this was so.

`PYTHONMALLOC=malloc python tests/programs/any_failed_allocation.py LIBRARY RULE CALL`, with LIBRARY preloaded
"""

import ctypes
import errno
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from helpers.checkpoint_bytes import split
from helpers.contents import contents, frozen
from helpers.dialects import DIALECTS
from helpers.values import normal
from numpy_adagrad import RowSparse
from numpy_adagrad.optimizers._base import Optimizer

library, dialect, name = ctypes.PyDLL(sys.argv[1]), DIALECTS[sys.argv[2]], sys.argv[3]
arm, disarm = library.arm, library.disarm
arm.argtypes, arm.restype, disarm.restype = [ctypes.c_long], None, ctypes.c_long
library.spare.argtypes, library.spare.restype = [ctypes.c_void_p, ctypes.c_void_p], None
# Rust ends the process where an allocation fails, which only safetensors could change.
folder = str(Path(safetensors.__file__).parent)
for line in Path("/proc/self/maps").read_text().splitlines():
    if folder in line and " r-xp " in line:
        library.spare(*(int(end, 16) for end in line.split()[0].split("-")))

DENSE = [normal(40, 16, seed=4), normal(5000, seed=5), normal(60, seed=6)[::2]]
SPARSE = [RowSparse(np.arange(80) % 7, normal(80, 16, seed=4)), *DENSE[1:]]
in_memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk is slow
path = os.path.join(tempfile.mkdtemp(dir=in_memory), "checkpoint")


added: Any = normal(3)
LATER = {f"b{i}": normal(3) for i in range(12)}  # enough to make dicts and lists grow


def params() -> list[Any]:
    return [normal(40, 16), normal(5000), normal(60)[::2]]


def make(steps: int = 1, rate: Any = 0.25) -> Any:
    optimizer = dialect.make(params(), **{dialect.rate: rate})
    for _ in range(steps):
        optimizer.step(DENSE)
    return optimizer


def scheduled(step: int) -> float:
    return 0.5 / (1 + step)


def saved() -> Any:
    """Also a file with the state after two steps."""
    make(2).save(path, parameters=True)
    return make()


CALLS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "dense": (make, lambda optimizer: optimizer.step(DENSE)),
    "first": (lambda: make(0), lambda optimizer: optimizer.step(DENSE)),
    "sparse": (make, lambda optimizer: optimizer.step(SPARSE)),
    "clipped": (make, lambda optimizer: optimizer.step(DENSE, max_norm=1.0)),
    "scheduled": (lambda: make(1, scheduled), lambda optimizer: optimizer.step(DENSE)),
    "first scheduled": (lambda: make(0, scheduled), lambda optimizer: optimizer.step(DENSE)),
    "group": (
        lambda: dialect.make([{"params": params()}]),
        lambda optimizer: optimizer.add_param_group({"params": [added]}),
    ),
    "many": (
        lambda: dialect.make([{"params": [(f"a{i}", normal(3)) for i in range(4)]}]),
        lambda optimizer: optimizer.add_param_group({"params": list(LATER.items())}),
    ),
    "construction": (params, lambda arrays: dialect.make(arrays)),
    "save": (saved, lambda optimizer: optimizer.save(path, parameters=True)),
    "load": (saved, lambda optimizer: optimizer.load(path, parameters=True)),
    "state_dict": (make, lambda optimizer: optimizer.load_state_dict(optimizer.state_dict())),
}
prepare, call = CALLS[name]


def held(optimizer: Any) -> Any:
    """All that the call may change."""
    file = split(Path(path).read_bytes()) if os.path.exists(path) else None  # safetensors keeps no order of entries
    return (contents(optimizer) if isinstance(optimizer, Optimizer) else frozen(optimizer)), file


def attempt(optimizer: Any, n: int) -> tuple[bool, BaseException | None]:
    """Whether the n-th allocation was reached, and the error."""
    error: BaseException | None = None
    arm(n)
    try:
        call(optimizer)
    except BaseException as raised:
        error = raised
    return disarm() > n, error


OTHER_TEXTS = ("can't allocate", "[digital envelope routines]", "NULL object passed to Py_BuildValue")


def is_out_of_memory(error: BaseException) -> bool:
    """Python's locks and files raise other errors; so do OpenSSL, which computes digests, and NumPy's `tobytes`."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(text in str(error) for text in OTHER_TEXTS)


expected = prepare()
call(expected)
done = held(expected)
count, failed = 0, 0
gc.disable()
while True:
    optimizer = prepare()
    before = held(optimizer)
    reached, error = attempt(optimizer, count)
    if not reached:
        break
    if error is not None:
        failed += 1
        if not is_out_of_memory(error):
            raise AssertionError(f"allocation {count}: an error of memory") from error
        # What cleans up after `save` has replaced the file may fail too.
        if held(optimizer) != before and not (name == "save" and held(optimizer) == done):
            raise AssertionError(f"allocation {count}: nothing changed") from error
        call(optimizer)
    assert held(optimizer) == done, f"allocation {count}: the next call is right"
    count += 1
shutil.rmtree(os.path.dirname(path))
print(count, failed)
