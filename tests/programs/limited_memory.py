"""Calls under a limit of the address space, from what the process has to much more, in steps of 512 KiB.

Under each, a call raises MemoryError, or OSError with ENOMEM, and changes nothing, or it succeeds with the right
result; after a failure the call without a limit is right. Prints how many calls failed and how many succeeded.

`python tests/programs/limited_memory.py RULE CALL`
"""

import errno
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from helpers.checkpoint_bytes import split
from helpers.contents import contents, frozen
from helpers.dialects import DIALECTS
from helpers.process import memory
from numpy_adagrad import RowSparse
from numpy_adagrad.optimizers._base import Optimizer

dialect, name = DIALECTS[sys.argv[1]], sys.argv[2]
STEP, MOST = 512 * 1024, 14 * 2**20
TABLE = (4000, 64)
path = os.path.join(tempfile.mkdtemp(), "checkpoint")


def params() -> list[Any]:
    return [np.ones(TABLE, np.float32), np.ones((500, 600), np.float32).T]


dense = [np.full(TABLE, 0.5, np.float32), np.full((600, 500), 0.5, np.float32)[:, ::-1]]
indices = np.arange(40_000) % 3001
sparse = [RowSparse(indices, np.full((len(indices), 64), 0.5, np.float32)), dense[1]]


def make() -> Any:
    return dialect.make(params())


def saved() -> Any:
    other = make()
    other.step(dense)
    other.save(path, parameters=True)
    return make()


CALLS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "dense": (make, lambda optimizer: optimizer.step(dense)),
    "sparse": (make, lambda optimizer: optimizer.step(sparse)),
    "construction": (params, lambda arrays: dialect.make(arrays)),
    "load": (saved, lambda optimizer: optimizer.load(path, parameters=True)),
}
prepare, call = CALLS[name]


def held(value: Any) -> Any:
    file = split(Path(path).read_bytes()) if os.path.exists(path) else None
    return (contents(value) if isinstance(value, Optimizer) else frozen(value)), file


def attempt(value: Any, limit: int) -> bool:
    """Whether the call succeeds where `limit` bytes more may be mapped."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + limit, hard))
    try:
        call(value)
    except MemoryError:
        return False
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return False
        raise
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    return True


expected = prepare()
call(expected)
done = held(expected)
failed = succeeded = 0
for limit in range(0, MOST, STEP):
    if os.path.exists(path):
        os.remove(path)
    value = prepare()
    before = held(value)
    if attempt(value, limit):
        succeeded += 1
    else:
        failed += 1
        assert held(value) == before, f"{limit} bytes: nothing changed"
        call(value)
    assert held(value) == done, f"{limit} bytes: the result"
print(failed, succeeded)
