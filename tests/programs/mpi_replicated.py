"""Every rank steps with its own gradients, and in one process with the means of all: no bit differs."""

from typing import Any

import numpy as np
from helpers.bits import assert_same_bits
from helpers.dialects import DIALECTS, Dialect
from helpers.mpi_cases import (
    SMALL_BUCKET,
    STEPS,
    Case,
    assert_same_state,
    dense_cases,
    element_mean,
    elements,
    means,
    row_mean,
    rows,
)
from helpers.mpi_ranks import comm
from numpy_adagrad import RowSparse
from numpy_adagrad.mpi import Replicated, Sharded
from numpy_adagrad.mpi.communicators import duplicate, has_links

SCALINGS: list[dict[str, Any]] = [{"max_norm": 0.5}, {"max_norm": 0.5, "grad_scale": 3.0}, {"on_nonfinite": "skip"}]


def pair(case: Case) -> tuple[Any, Any]:
    """The same optimizer twice: over all ranks, and alone."""
    one, alone = (case.dialect.make(case.form(case.params()), **case.options) for _ in range(2))
    return Replicated(one, comm, bucket_size=SMALL_BUCKET, debug=True), alone


def check_dense(case: Case) -> None:
    replicated, alone = pair(case)
    for step in range(STEPS):
        replicated.step(case.grads(comm.rank, step), **case.scaling)
        alone.step(means(case, comm.size, step), **case.scaling)
        assert_same_state(replicated.opt, alone, (case, step))


def check_sparse(case: Case) -> None:
    replicated, alone = pair(case)
    others = means(case, comm.size, 0)[1:]
    both: list[tuple[Any, Any]] = [(rows, row_mean), (elements, element_mean)]
    for make, mean in both if case.dtype.itemsize > 2 else both[:1]:  # SciPy has no half precision
        gradient = mean([make(case, rank) for rank in range(comm.size)])
        replicated.step([make(case, comm.rank), *case.grads(comm.rank, 0)[1:]], **case.scaling)
        alone.step([gradient, *others], **case.scaling)
        assert_same_state(replicated.opt, alone, (case, make))


def check_rows_of_no_elements(dialect: Dialect, scaling: dict[str, Any]) -> None:
    """A table of shape (4, 0) beside another parameter: they are counted, and so are the steps."""

    def arrays() -> list[Any]:
        return [np.zeros((4, 0), np.float32), np.ones((2, 2), np.float32)]

    alone, replicated = dialect.make(arrays()), Replicated(dialect.make(arrays()), comm, debug=True)
    options: dict[str, Any] = dict(dialect.common)
    sharded = Sharded(dialect.optimizer, arrays(), comm, **options)
    count = comm.rank + 1  # of rows; each rank has its own
    for table in (arrays()[0], RowSparse(np.arange(count) % 4, np.zeros((count, 0), np.float32))):
        alone.step(arrays(), **scaling)
        replicated.step([table, arrays()[1]], **scaling)
        sharded.step(arrays(), **scaling)
        assert_same_state(replicated.opt, alone, (dialect, scaling, table))
        assert_same_bits(sharded.params[1], alone.param_groups[0]["params"][1], str((dialect, scaling)))
    assert alone.steps == sharded.steps == 2


count = 0
for dialect in DIALECTS.values():
    for scaling in SCALINGS:
        check_dense(Case(dialect, scaling=scaling))
    for scaling in ({}, {"max_norm": 0.5}):
        check_rows_of_no_elements(dialect, scaling)
    check_dense(Case(dialect, kind="awkward", scaling={"on_nonfinite": "skip"}))
for case in dense_cases():
    check_dense(case)
    count += 1
    if case.dtype.kind != "c" and not case.options and not case.group:
        check_sparse(case)
assert count > 30
comm.Barrier()
if comm.rank == 0:
    print(f"{comm.size} ranks, {1 + has_links(duplicate(comm))} machines: same bits")
