"""Every rank steps with its own gradients, and in one process with the means of all: no bit differs."""

from typing import Any

from helpers.dialects import DIALECTS
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
from numpy_adagrad.mpi import Replicated
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


count = 0
for dialect in DIALECTS.values():
    for scaling in SCALINGS:
        check_dense(Case(dialect, scaling=scaling))
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
