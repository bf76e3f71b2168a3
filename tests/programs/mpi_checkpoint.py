"""Save a sharded run, or load those of other numbers of ranks.

`python tests/programs/mpi_checkpoint.py save|load|errors FOLDER`
"""

import errno
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from helpers.dialects import DIALECTS
from helpers.mpi_cases import assert_same_sharded, error_of_all, exact_case, exact_grads, run_alone
from helpers.mpi_ranks import comm
from numpy_adagrad.mpi import Sharded

call, folder = sys.argv[1], Path(sys.argv[2])


def sharded_of(rule: str) -> Sharded:
    case = exact_case(rule)
    options = case.dialect.common | case.options
    return Sharded(case.dialect.optimizer, case.form(case.params()), comm, bucket_size=1000, **options)


def save() -> None:
    for rule in DIALECTS:
        sharded = sharded_of(rule)
        for step in range(2):
            sharded.step(exact_grads(rule, step))
        assert_same_sharded(comm, sharded, run_alone(rule, 2), rule)
        sharded.save(folder / f"{rule}-{comm.size}.safetensors", extra={"epoch": comm.size})


def load() -> None:
    """State of n ranks, or of one process, continues on this number of ranks."""
    for rule in DIALECTS:
        paths = sorted(folder.glob(f"{rule}-*.safetensors"))
        assert len(paths) == 5
        for path in paths:
            sharded = sharded_of(rule)
            assert sharded.load(path) == {"epoch": int(path.stem.split("-")[1])}
            assert_same_sharded(comm, sharded, run_alone(rule, 2), path)
            sharded.step(exact_grads(rule, 2))
            assert_same_sharded(comm, sharded, run_alone(rule, 3), path)


def errors() -> None:
    """An error of the rank that reads or writes is raised on all, and changes nothing."""
    for rule in DIALECTS:
        sharded = sharded_of(rule)
        calls: list[Callable[[], object]] = [
            partial(sharded.save, folder / "missing" / "run.safetensors"),
            partial(sharded.load, folder / f"{rule}-shapes.safetensors"),
            partial(sharded.load, folder / f"{rule}-state.safetensors"),
            partial(sharded.load, folder / f"{rule}.ckpt"),
        ]
        if comm.size > 1:
            calls.append(partial(sharded.save, folder / f"{comm.rank}.safetensors"))
        with pytest.raises(FileNotFoundError) as missing:
            sharded.load(folder / "missing")
        assert (missing.value.errno, missing.value.filename) == (errno.ENOENT, str(folder / "missing"))
        for action in calls:
            message = error_of_all(comm, action)
            assert_same_sharded(comm, sharded, run_alone(rule, 0), rule)
            if comm.rank == 0:
                print(message)


{"save": save, "load": load, "errors": errors}[call]()
comm.Barrier()
if comm.rank == 0:
    print(call)
