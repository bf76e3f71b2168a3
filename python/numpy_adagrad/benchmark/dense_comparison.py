"""The comparison of candidates with dense gradients, and the expected results of their first steps."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from ..inputs.types import Array
from .candidates import Step
from .comparison import Comparison
from .dense_candidates import DENSE_CANDIDATES
from .dense_workloads import DenseWorkload, random_arrays
from .formulas import FORMULAS, Tolerance, compute_dtype, find_differences

CHECKED_STEPS = 3
BLOCK = 2**16  # elements computed at a time, so that temporaries stay small
TOLERANCES = {
    "float32": Tolerance(1e-6, 1e-6),
    "float64": Tolerance(1e-14, 1e-14),
    "bfloat16": Tolerance(2.0**-7, 2e-4),
}
# torch sums the squares for a norm in float32: with 1e8 of them the fourth digit is lost.
TORCH_CLIPPED = Tolerance(1e-3, 1e-4)


def compare_dense(workload: DenseWorkload, names: Sequence[str]) -> Comparison:
    """Prepare the named candidates and check the results of their first steps."""
    initial, grads = random_arrays(workload, seed=1), random_arrays(workload, seed=2)
    params = [np.empty_like(array) for array in initial]

    def start(name: str) -> tuple[Step, list[Array]]:
        for p, array in zip(params, initial, strict=True):
            p[...] = array
        step = DENSE_CANDIDATES[name].make(workload, params, grads)
        for _ in range(CHECKED_STEPS):
            step.run()
        return step, step.own_params() if step.own_params else params

    # Frameworks round clipped gradients in other places.
    references = {name: DENSE_CANDIDATES[name].reference for name in names} if workload.max_norm is None else {}
    return Comparison(names, start, Answers(workload, initial, grads).find_errors, references)


class Answers:
    """The expected parameters of a workload after the first steps."""

    def __init__(self, workload: DenseWorkload, initial: list[Array], grads: list[Array]) -> None:
        self.workload = workload
        self.initial, self.grads = joined(initial), joined(grads)
        self.expected = cache(self._expected)

    def find_errors(self, name: str, params: list[Array]) -> list[str]:
        """Compare the parameters of a candidate with the formula and return messages."""
        candidate, clips = DENSE_CANDIDATES[name], self.workload.max_norm is not None
        # Clipping rounds the norm and the gradients too, which NumPy does in another order.
        exact = FORMULAS[candidate.formula].exact and not clips and self.workload.dtype != "bfloat16"
        tolerance = TORCH_CLIPPED if clips and "torch" in candidate.modules else TOLERANCES[self.workload.dtype]
        return find_differences(joined(params), self.expected(candidate.formula), None if exact else tolerance)

    def _expected(self, name: str) -> Array:
        formula, state_dtype = FORMULAS[name], self.workload.state_dtype
        compute = compute_dtype(self.initial)
        factor = self._clip_factor() if formula.clips and self.workload.max_norm is not None else None
        result = np.empty_like(self.initial)
        for begin in range(0, result.size, BLOCK):
            block = slice(begin, begin + BLOCK)
            p, g = (array[block].astype(compute) for array in (self.initial, self.grads))
            s = np.full(p.shape, formula.initial, state_dtype).astype(compute)
            if factor is not None:
                g *= compute.type(factor)
            for _ in range(CHECKED_STEPS):
                p, s = formula.update(p, s, g)
                # Storing them rounds.
                p = p.astype(result.dtype).astype(compute)
                s = s.astype(state_dtype).astype(compute)
            result[block] = p
        return result

    def _clip_factor(self) -> float:
        assert self.workload.max_norm is not None
        squares = np.square(self.grads, dtype=np.float64)
        return min(1.0, self.workload.max_norm / (float(np.sqrt(squares.sum())) + 1e-6))


def joined(arrays: list[Array]) -> Array:
    """Return the elements of all arrays in one array of one dimension; a single array is not copied."""
    return np.concatenate([array.reshape(-1) for array in arrays]) if len(arrays) > 1 else arrays[0].reshape(-1)
