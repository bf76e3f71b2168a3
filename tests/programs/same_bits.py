"""Runs many steps and prints digests of the results of each group of cases, as JSON.

`python tests/programs/same_bits.py THREADS`: the instruction set comes from the environment; THREADS limits the threads
by threadpoolctl, 0 leaves the limit to OMP_NUM_THREADS.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from helpers.bits import reals
from helpers.dialects import DIALECTS, Dialect
from helpers.values import bfloat16, draw
from numpy_adagrad import _core
from numpy_adagrad.inputs.types import Array
from threadpoolctl import threadpool_limits

DtypeCombo: TypeAlias = tuple[npt.DTypeLike, npt.DTypeLike, npt.DTypeLike | None]
"""The dtypes of parameter and gradient, and `state_dtype`."""
Case: TypeAlias = tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]
"""The arguments of the constructor, those of the step, and the kinds of numbers."""

HALVES = (np.dtype(np.float16), bfloat16)
REALS: list[DtypeCombo] = [
    ("f4", "f4", None),
    ("f8", "f8", None),
    *((half, half, None) for half in HALVES),
    *((half, half, np.float32) for half in HALVES),
    *(("f4", half, None) for half in HALVES),
]
FINITE = ("normal", "wide")
ALL = ("awkward", "bits", *FINITE)
COMPLEX: list[DtypeCombo] = [("c8", "c8", None), ("c16", "c16", None)]


def dtype_combos(dialect: Dialect) -> list[DtypeCombo]:
    return [*REALS, *(COMPLEX if dialect.takes_complex else [])]


TORCH: dict[str, Case] = {
    "plain": ({}, {}, ALL),
    "decay": ({"weight_decay": 0.013, "lr_decay": 0.1}, {}, ALL),
    "maximize": ({"maximize": True}, {}, ALL),
    "scaling": ({"weight_decay": 0.013, "maximize": True}, {"grad_scale": 3.7}, ALL),
    "clipping": ({}, {"max_norm": 0.7}, FINITE),
    "all": ({"weight_decay": 0.013}, {"grad_scale": 0.3, "max_norm": 30.0}, ("normal",)),
}
MINDSPORE: dict[str, Case] = {
    "plain": ({}, {}, ALL),
    "decay": ({"weight_decay": 0.013}, {}, ALL),
    "loss_scale": ({"loss_scale": 3.7, "weight_decay": 0.013}, {}, ALL),
    "frozen": ({"update_slots": False}, {"grad_scale": 3.7}, ALL),
    "clipping": ({"loss_scale": 3.7}, {"max_norm": 0.7}, FINITE),
    "centralize": ({}, {}, FINITE),
    "all": ({"loss_scale": 3.7, "weight_decay": 0.013}, {"grad_scale": 0.3, "max_norm": 30.0}, ("normal",)),
}
CASES = {"torch": TORCH, "mindspore": MINDSPORE}
LENGTHS = [(length, offset) for length in range(71) for offset in range(4)]
LARGE = [(100_003, 1), (2 * 100_003, 3)]


@cache
def pool(dtype: np.dtype[Any], kinds: tuple[str, ...], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return np.concatenate([draw(rng, 240_000 // len(kinds), dtype, kind) for kind in kinds])


def cases_of(dialect: Dialect) -> dict[str, Case]:
    """The table above, or the variants of a rule that has none."""
    variants: dict[str, Case] = {f"variant {i}": (options, {}, ALL) for i, (options, _) in enumerate(dialect.variants)}
    scaled: Case = ({}, {"grad_scale": 0.3, "max_norm": 30.0}, ("normal",))
    return CASES.get(str(dialect), {**variants, "all": scaled})


def tensors(dtype: npt.DTypeLike, kinds: tuple[str, ...], seed: int) -> Iterator[Array]:
    """Arrays of every length at every offset, large ones, and two that MindSpore can centralise.

    The offsets depend on the seed, so that parameters and gradients have different ones.
    """
    numbers = pool(np.dtype(dtype), kinds, seed)
    for i, (length, offset) in enumerate([*LENGTHS, *LARGE]):
        offset = (offset + seed) % 4
        room = np.empty(length + offset, dtype)[offset:]
        start = 797 * i if length < 100 else 0
        room[...] = numbers[start : start + length]
        yield room
    yield numbers[: 16 * 32 * 9].reshape(16, 32, 9).copy()
    yield numbers[-3 * 16 * 400 :].reshape(3, 16, 400).copy()


def digest(arrays: Iterable[Array]) -> str:
    """A digest of the bits; every NaN counts as the same."""
    total = hashlib.sha256()
    for array in arrays:
        flat = reals(array).copy()
        flat[np.isnan(flat)] = np.nan
        total.update(flat.tobytes())
    return total.hexdigest()


def run(dialect: Dialect, combo: DtypeCombo, case: Case, centralize: bool) -> Iterator[str]:
    """The norm and the digests of parameters and accumulators after two steps."""
    (param_dtype, grad_dtype, state_dtype), (arguments, step_arguments, kinds) = combo, case
    params = list(tensors(param_dtype, kinds, 0))
    groups = [{"params": params, "grad_centralization": True}] if centralize else params
    optimizer = dialect.optimizer(groups, state_dtype=state_dtype, **arguments)
    for step in (1, 2):
        optimizer.step(list(tensors(grad_dtype, kinds, step)), **step_arguments)
    yield f"{optimizer.grad_norm!r}"
    yield digest(params)
    yield digest(dialect.accumulators(optimizer))


def main() -> None:
    results: dict[str, object] = {"instruction set": _core.isa, "threads": _core.max_threads()}
    for dialect in DIALECTS.values():
        for combo in dtype_combos(dialect):
            for name, case in cases_of(dialect).items():
                dtypes = " ".join(np.dtype(dtype).name for dtype in combo if dtype is not None)
                key = f"{dialect.optimizer.__name__} {name} {dtypes}"
                results[key] = list(run(dialect, combo, case, name == "centralize"))
    print(json.dumps(results))


if __name__ == "__main__":
    limit = int(sys.argv[1])
    with threadpool_limits(limit, user_api="openmp") if limit else nullcontext(), np.errstate(all="ignore"):
        main()
