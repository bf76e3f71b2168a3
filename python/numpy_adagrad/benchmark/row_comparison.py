"""Candidates against each other on one table, and what their first steps must give."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from ..inputs.types import Array
from .answers import RULES, differences
from .comparison import Race, Step
from .row_candidates import ROW_CANDIDATES, Batches, summed
from .row_workloads import Table, draw_batches

CLOSE = (1e-5, 1e-7)  # rtol and atol


def row_race(table: Table, names: Sequence[str]) -> Race:
    """A race with sparse gradients. The table starts with zeros, and the first steps take each batch once."""
    batches = draw_batches(table)
    params = np.zeros(table.shape, np.float32)
    touched = np.unique([batch.indices for batch in batches])
    expected = cache(lambda rule: rows_after(batches, touched, rule))

    def begin(name: str) -> tuple[Step, list[Array]]:
        params[...] = 0
        step = ROW_CANDIDATES[name].make(params, batches).step
        for _ in batches:
            step()
        return step, [params[touched]]

    def complaints(name: str, moved: list[Array]) -> list[str]:
        rule = ROW_CANDIDATES[name].rule
        found = differences(moved[0], expected(rule), None if RULES[rule].exact else CLOSE)
        if np.count_nonzero(params) != np.count_nonzero(moved[0]):
            found.append("rows have moved that no gradient names")
        return found

    return Race(names, begin, complaints)


def rows_after(batches: Batches, touched: Array, name: str) -> Array:
    """Where the rows touched must be after a step with each batch."""
    rule = RULES[name]
    p = np.zeros((len(touched), batches[0].values.shape[1]), np.float32)
    s = np.full_like(p, rule.accum)
    for batch in batches:
        rows, g = summed(batch)
        at = np.searchsorted(touched, rows)
        p[at], s[at] = rule.update(p[at], s[at], g)
    return p
