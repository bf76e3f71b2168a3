"""The comparison of candidates with sparse gradients, and the expected results of their first steps."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy_adagrad.benchmark.candidates import Step
from numpy_adagrad.benchmark.comparison import Comparison
from numpy_adagrad.benchmark.formulas import FORMULAS, Tolerance, find_differences
from numpy_adagrad.inputs.types import Array
from sparse_candidates import SPARSE_CANDIDATES, Batches, sum_equal_rows
from sparse_workloads import SparseWorkload, draw_batches

TOLERANCE = Tolerance(1e-5, 1e-7)


def compare_sparse(workload: SparseWorkload, names: Sequence[str]) -> Comparison:
    """Prepare the named candidates and check the results of their first steps.

    The table is 0 at first, and the first steps take each batch once.
    """
    batches = draw_batches(workload)
    table = np.zeros(workload.shape, np.float32)
    updated = np.unique([batch.indices for batch in batches])
    expected = cache(lambda formula: expected_rows(batches, updated, formula))

    def start(name: str) -> tuple[Step, list[Array]]:
        table[...] = 0
        step = SPARSE_CANDIDATES[name].make(table, batches)
        for _ in batches:
            step.run()
        return step, [table[updated]]

    def find_errors(name: str, params: list[Array]) -> list[str]:
        (rows,) = params
        formula = SPARSE_CANDIDATES[name].formula
        errors = find_differences(rows, expected(formula), None if FORMULAS[formula].exact else TOLERANCE)
        if np.count_nonzero(table) != np.count_nonzero(rows):
            errors.append("rows without a gradient have changed")
        return errors

    return Comparison(names, start, find_errors)


def expected_rows(batches: Batches, updated: Array, name: str) -> Array:
    """Return the expected values of the rows `updated` after a step with each batch."""
    formula = FORMULAS[name]
    p = np.zeros((len(updated), batches[0].values.shape[1]), np.float32)
    s = np.full_like(p, formula.initial)
    for batch in batches:
        rows, g = sum_equal_rows(batch)
        at = np.searchsorted(updated, rows)
        p[at], s[at] = formula.update(p[at], s[at], g)
    return p
