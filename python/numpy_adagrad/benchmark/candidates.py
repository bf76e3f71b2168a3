"""Candidates: implementations of a step. The parts that dense and sparse candidates have in common."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from ..inputs.types import Array
from ..optimizers import OPTIMIZERS
from .formulas import FORMULAS

MEMORY_BOUND = "memory_bound"
"""The candidate that all others are compared with; in the core, a rule without an optimizer.

`bench/run.py` puts a loop that is independent of the core in its place.
"""
OWN_RULES = [rule for rule in FORMULAS if rule in OPTIMIZERS]
"""The rules of this package that take part."""

# Modules whose distribution has another name.
DISTRIBUTIONS = {"fbgemm_gpu": "fbgemm-gpu-cpu"}


class Step(NamedTuple):
    """A function that takes one step and, if the candidate copies its parameters, one that returns the copies."""

    run: Callable[[], object]
    own_params: Callable[[], list[Array]] | None = None


class Candidate(NamedTuple):
    """How to make a step, the formula that it computes, and the workloads that it supports."""

    make: Callable[..., Step]
    formula: str
    modules: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("float32",)
    obeys_threads: bool = True
    reference: str = ""  # the candidate that must compute the same bits

    def is_installed(self) -> bool:
        """Return whether the modules that the candidate needs are installed. `make` imports them."""
        return all(find_spec(module) is not None for module in self.modules)


def participants(candidates: Mapping[str, Candidate], kind: str, *, threads_set: bool = False) -> list[str]:
    """Return the names of the candidates for a kind of workload.

    With `threads_set`, these are only the candidates whose number of threads can be set.
    """
    return [
        name
        for name, candidate in candidates.items()
        if kind in candidate.kinds and candidate.is_installed() and (candidate.obeys_threads or not threads_set)
    ]


def versions(candidates: Iterable[Candidate]) -> dict[str, str]:
    """Return the versions of this package, NumPy and the libraries of the candidates that are installed."""
    modules = [module for candidate in candidates if candidate.is_installed() for module in candidate.modules]
    names = dict.fromkeys(DISTRIBUTIONS.get(module, module) for module in ("numpy-adagrad", "numpy", *modules))
    return {name: version(name) for name in names}


def make_own(rule: str, params: list[Array], **options: Any) -> Any:
    """Return this package's optimizer of a rule, with the arguments of its formula."""
    optimizer: Callable[..., Any] = OPTIMIZERS[rule]
    return optimizer(params, **FORMULAS[rule].arguments, **options)


def memory_bound_step(
    params: list[Array], sums: list[Array], zero_grads: list[Any], grads: list[Any]
) -> Callable[[], object]:
    """Return a step that moves the same bytes as an optimizer but does next to no arithmetic.

    The first step, with gradients of 0, changes nothing. After it the plan finds only new values, as the plan of an
    optimizer does.
    """
    groups = [{"params": params}]
    roles = ("params", "state_sums", "grads", "")
    plan = _core.Plan(MEMORY_BOUND, roles)
    plan.add_groups(groups, sums, [], [], np.zeros(len(params), np.int32))
    plan.try_step(groups, zero_grads, None)
    return partial(plan.try_step, groups, grads, None)


def import_numba() -> Any:
    """Import numba with this package's number of threads.

    By itself numba starts as many threads as there are processors, whatever OMP_NUM_THREADS says, and raises the limit
    of the OpenMP runtime that it shares with this package.
    """
    os.environ.setdefault("NUMBA_NUM_THREADS", str(_core.max_threads()))
    import numba

    return numba
