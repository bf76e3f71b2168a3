"""Saves and loads while the n-th call to the system fails with one of the errors, for every n.

Prints how many calls failed, and what was wrong after one. A save that raises an error must leave the old file and
nothing else, any other save the new one. A load must load all or nothing.

`python tests/programs/failing_calls.py LIBRARY RULE FOLDER ERROR...`, with LIBRARY preloaded; the error 0 stands for a
part written
"""

import ctypes
import errno
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from helpers.contents import contents
from helpers.dialects import DIALECTS

library, dialect, folder = ctypes.CDLL(sys.argv[1]), DIALECTS[sys.argv[2]], Path(sys.argv[3])
library.arm.argtypes, library.disarm.restype = [ctypes.c_long, ctypes.c_int], ctypes.c_bool
path = folder / "a"
wrong: list[str] = []


def optimizer_after(steps: int) -> Any:
    optimizer = dialect.make({"w": np.ones(30_000), "b": np.ones(3, np.float32)})
    for _ in range(steps):
        optimizer.step({"w": np.ones(30_000), "b": np.ones(3, np.float32)})
    return optimizer


old, new = optimizer_after(1), optimizer_after(2)
SAVED = []
for one in (old, new):
    one.save(path, parameters=True)
    SAVED.append(path.read_bytes())
OLD_CONTENTS, NEW_CONTENTS = contents(old), contents(new)


def fails(call: Callable[[], object], n: int, number: int) -> tuple[bool, bool]:
    """Whether the n-th call to the system was made and failed, and whether an error was raised, which must be that."""
    library.arm(n, number)
    try:
        call()
    except OSError as error:
        failed = library.disarm()
        if error.errno != number:
            wrong.append(f"call {n}: expected {errno.errorcode[number]}, got {error!r}")
        return failed, True
    return library.disarm(), False


def try_save(n: int, number: int) -> bool:
    path.write_bytes(SAVED[0])
    failed, raised = fails(lambda: new.save(path, parameters=True), n, number)
    loaded = optimizer_after(0)
    loaded.load(path, parameters=True)
    if contents(loaded) != (OLD_CONTENTS if raised else NEW_CONTENTS):
        wrong.append(f"save, call {n}, {number}: raised {raised}, and the file is another")
    left_over = [entry for entry in folder.iterdir() if entry != path]
    if left_over and raised:  # what failed otherwise may be the removal of the temporary folder
        wrong.append(f"save, call {n}, {number}: {left_over} is left")
    for entry in left_over:
        shutil.rmtree(entry)
    if contents(new) != NEW_CONTENTS:
        wrong.append(f"save, call {n}, {number}: the optimizer has changed")
    return failed


def try_load(n: int, number: int) -> bool:
    path.write_bytes(SAVED[1])
    loaded = optimizer_after(1)
    failed, raised = fails(lambda: loaded.load(path, parameters=True), n, number)
    if contents(loaded) != (OLD_CONTENTS if raised else NEW_CONTENTS):
        wrong.append(f"load, call {n}, {number}: raised {raised}, and the optimizer is another")
    return failed


count = 0
for attempt in (try_save, try_load):
    for number in map(int, sys.argv[4:]):
        n = 0
        while attempt(n, number):
            n += 1
        count += n
print(count, wrong)
