"""Saves on a small disk that is nearly full, however much is free, or that has no room for a name, or is read-only.

Prints for each kind how many saves raised the error of the system, how many succeeded, and what was wrong.

`python tests/programs/small_disk.py RULE FOLDER STEP`: STEP is the number of bytes between two sizes that are tried
"""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from helpers.contents import contents
from helpers.dialects import DIALECTS
from helpers.namespaces import PRIVATE

if sys.argv[1] != "inside":  # start again where the mounts below are seen by this program alone
    os.execvp(PRIVATE[0], [*PRIVATE, sys.executable, __file__, "inside", *sys.argv[1:]])
dialect, folder, step = DIALECTS[sys.argv[2]], Path(sys.argv[3]), int(sys.argv[4])
path = folder / "a"
wrong: list[str] = []


def mount(*options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True)


def fill(count: int) -> Iterator[None]:
    """Leave `count` bytes free, then `step` bytes less, and so on until nothing is free."""
    for left in range(count, -1, -step):
        (folder / "filling").write_bytes(bytes(shutil.disk_usage(folder).free - left))
        yield
        (folder / "filling").unlink()


def names(count: int) -> Iterator[None]:
    """Leave room for `count` names and less."""
    for left in range(count, -1, -1):
        used = [folder / f"used {i}" for i in range(NAMES - 2 - left)]  # two are the folder and the file
        for name in used:
            name.touch()
        yield
        for name in used:
            name.unlink()


def read_only() -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


NAMES = 20
optimizer, loaded = (dialect.make({"w": np.ones(30_000)}) for _ in range(2))


def try_save(number: int) -> bool:
    """Step and save. Whether this raised the error of that number; the file is the old one then."""
    optimizer.step({"w": np.ones(30_000)})
    before, raised = path.read_bytes(), False
    held = contents(optimizer)
    try:
        optimizer.save(path, parameters=True)
    except OSError as error:
        raised = error.errno == number and error.filename is not None
        if not raised:
            wrong.append(repr(error))
    if raised and path.read_bytes() != before:
        wrong.append("the save raised an error, and the old file has changed")
    loaded.load(path, parameters=True)
    if not raised and contents(loaded) != held:
        wrong.append("the save raised no error, and the file is another")
    if contents(optimizer) != held:
        wrong.append("the save has changed the optimizer")
    return raised


def try_all(kind: str, number: int, states: Iterator[None]) -> None:
    outcomes = []
    for _ in states:
        outcomes.append(try_save(number))
        if list(folder.glob(".numpy-adagrad-*")):
            wrong.append("a temporary folder is left")
    optimizer.save(path, parameters=True)  # there is room again
    print(kind, outcomes.count(True), outcomes.count(False), wrong)


mount("size=2m")
optimizer.save(path, parameters=True)
try_all("full", errno.ENOSPC, fill(700_000))
try_all("read-only", errno.EROFS, read_only())
mount(f"nr_inodes={NAMES}")
optimizer.save(path, parameters=True)
try_all("names", errno.ENOSPC, names(4))
