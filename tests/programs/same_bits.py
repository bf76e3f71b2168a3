"""Runs many steps and prints a digest of what each group of cases came to, as JSON.

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
from helpers.values import bfloat16, draw
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, _core
from numpy_adagrad.inputs.types import Array
from threadpoolctl import threadpool_limits

Triple: TypeAlias = tuple[npt.DTypeLike, npt.DTypeLike, npt.DTypeLike | None]
Case: TypeAlias = tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]

HALVES = (np.dtype(np.float16), bfloat16)
# (parameter, gradient, state_dtype)
REALS: list[Triple] = [
    ("f4", "f4", None),
    ("f8", "f8", None),
    *((half, half, None) for half in HALVES),
    *((half, half, np.float32) for half in HALVES),
    *(("f4", half, None) for half in HALVES),
]
FINITE = ("normal", "wide")
ALL = ("awkward", "bits", *FINITE)
TRIPLES: dict[type, list[Triple]] = {
    TorchAdagrad: [*REALS, ("c8", "c8", None), ("c16", "c16", None)],
    MindSporeAdagrad: REALS,
}
# The arguments of the constructor, those of the step, and the kinds of numbers.
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
LENGTHS = [(length, offset) for length in range(71) for offset in range(4)]
LARGE = [(100_003, 1), (2 * 100_003, 3)]


@cache
def pool(dtype: np.dtype[Any], kinds: tuple[str, ...], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return np.concatenate([draw(rng, 240_000 // len(kinds), dtype, kind) for kind in kinds])


def tensors(dtype: npt.DTypeLike, kinds: tuple[str, ...], seed: int) -> Iterator[Array]:
    """Arrays of every length at every offset, large ones, and two that MindSpore can centralise.

    Parameters (seed 0) and gradients get other offsets.
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
    """Of the bits, all NaN alike."""
    total = hashlib.sha256()
    for array in arrays:
        flat = reals(array).copy()
        flat[np.isnan(flat)] = np.nan
        total.update(flat.tobytes())
    return total.hexdigest()


def run(
    rule: type[TorchAdagrad] | type[MindSporeAdagrad],
    triple: Triple,
    arguments: dict[str, Any],
    step_arguments: dict[str, Any],
    kinds: tuple[str, ...],
    centralize: bool,
) -> Iterator[str]:
    param_dtype, grad_dtype, state_dtype = triple
    params = list(tensors(param_dtype, kinds, 0))
    groups = [{"params": params, "grad_centralization": True}] if centralize else params
    opt = rule(groups, state_dtype=state_dtype, **arguments)
    for step in (1, 2):
        opt.step(list(tensors(grad_dtype, kinds, step)), **step_arguments)
    yield f"{opt.grad_norm!r}"
    yield digest(params)
    yield digest(state["sum" if rule is TorchAdagrad else "accum"] for state in opt.state.values())


def main() -> None:
    results: dict[str, object] = {"instruction set": _core.isa, "threads": _core.max_threads()}
    for rule, table in ((TorchAdagrad, TORCH), (MindSporeAdagrad, MINDSPORE)):
        for triple in TRIPLES[rule]:
            for name, case in table.items():
                key = f"{rule.__name__} {name} {' '.join(np.dtype(d).name for d in triple if d is not None)}"
                results[key] = list(run(rule, triple, *case, name == "centralize"))
    print(json.dumps(results))


if __name__ == "__main__":
    limit = int(sys.argv[1])
    with threadpool_limits(limit, user_api="openmp") if limit else nullcontext(), np.errstate(all="ignore"):
        main()
