"""Runs many steps, dense and sparse, and prints digests of the results of each group of cases, as JSON.

`python tests/programs/same_bits.py THREADS`: the instruction set comes from the environment; THREADS limits the threads
by threadpoolctl, 0 leaves the limit to OMP_NUM_THREADS. The digests are the same on every machine: no input depends on
its C library.
"""

import hashlib
import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from helpers.bits import reals
from helpers.dialects import DIALECTS, Dialect
from helpers.values import bfloat16, exact_reals, real_type
from numpy_adagrad import RowSparse, TorchAdagrad, _core
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
    "any state": ({"eps": 0.0}, {}, ALL),
    "all": ({"weight_decay": 0.013}, {"grad_scale": 0.3, "max_norm": 30.0}, ("normal",)),
}
MINDSPORE: dict[str, Case] = {
    "plain": ({}, {}, ALL),
    "decay": ({"weight_decay": 0.013}, {}, ALL),
    "loss_scale": ({"loss_scale": 3.7, "weight_decay": 0.013}, {}, ALL),
    "frozen": ({"update_slots": False}, {"grad_scale": 3.7}, ALL),
    "clipping": ({"loss_scale": 3.7}, {"max_norm": 0.7}, FINITE),
    "centralize": ({}, {}, FINITE),
    "any state": ({}, {}, ALL),
    "all": ({"loss_scale": 3.7, "weight_decay": 0.013}, {"grad_scale": 0.3, "max_norm": 30.0}, ("normal",)),
}
CASES = {"torch": TORCH, "mindspore": MINDSPORE}
SPARSE: dict[str, Case] = {
    "rows": ({}, {}, ALL),
    "rows decay": ({"weight_decay": 0.013}, {"grad_scale": 3.7}, ALL),
    "rows clipping": ({}, {"max_norm": 0.7, "grad_scale": 3.7}, FINITE),
}
TABLES = [(1,), (9,), (20_011,), *((40, width) for width in range(1, 71)), (900, 64), (3, 4099), (9_001, 2)]
LENGTHS = [(length, offset) for length in range(71) for offset in range(4)]
LARGE = [(100_003, 1), (2 * 100_003, 3)]


@cache
@np.errstate(all="ignore")
def pool(dtype: np.dtype[Any], kinds: tuple[str, ...], seed: int) -> Array:
    rng, real = np.random.default_rng(seed), real_type(dtype)
    share = 240_000 // len(kinds) * (dtype.itemsize // real.itemsize)
    return np.concatenate([exact_reals(rng, share, real, kind) for kind in kinds]).view(dtype)


def cases_of(dialect: Dialect) -> dict[str, Case]:
    """The table above, or the variants of a rule that has none."""
    variants: dict[str, Case] = {f"variant {i}": (options, {}, ALL) for i, (options, _) in enumerate(dialect.variants)}
    scaled: Case = ({}, {"grad_scale": 0.3, "max_norm": 30.0}, ("normal",))
    return CASES.get(str(dialect), {**variants, "all": scaled})


def tensors(dtype: npt.DTypeLike, kinds: tuple[str, ...], seed: int) -> Iterator[Array]:
    """Arrays of every length at every offset, large ones, and two that MindSpore can centralize.

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


def run(dialect: Dialect, combo: DtypeCombo, name: str, case: Case) -> Iterator[str]:
    """The norm and the digests of parameters and accumulators after two steps."""
    (param_dtype, grad_dtype, state_dtype), (arguments, step_arguments, kinds) = combo, case
    params = list(tensors(param_dtype, kinds, 0))
    groups = [{"params": params, "grad_centralization": True}] if name == "centralize" else params
    optimizer = dialect.optimizer(groups, state_dtype=state_dtype, **arguments)
    if name == "any state":  # also such as no step leaves behind
        accums = dialect.accumulators(optimizer)
        for accum, numbers in zip(accums, tensors(accums[0].dtype, kinds, 3), strict=True):
            accum[...] = numbers
    for step in (1, 2):
        optimizer.step(list(tensors(grad_dtype, kinds, step)), **step_arguments)
    yield f"{optimizer.grad_norm!r}"
    yield digest(params)
    yield digest(dialect.accumulators(optimizer))


def key_of(dialect: Dialect, name: str, combo: DtypeCombo) -> str:
    dtypes = " ".join(np.dtype(dtype).name for dtype in combo if dtype is not None)
    return f"{dialect.optimizer.__name__} {name} {dtypes}"


@cache
def mixed_pool(dtype: np.dtype[Any], kinds: tuple[str, ...]) -> Array:
    return np.random.default_rng(4).permuted(pool(dtype, kinds, 4))


def table(rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike, kinds: tuple[str, ...]) -> Array:
    """Numbers of all kinds, mixed."""
    numbers, count = mixed_pool(np.dtype(dtype), kinds), math.prod(shape)
    start = int(rng.integers(0, len(numbers) - count))
    return numbers[start : start + count].reshape(shape).copy()


def run_sparse(dialect: Dialect, combo: DtypeCombo, case: Case) -> Iterator[str]:
    """The norm and the digests of tables and accumulators after three steps on rows, few or many, in any order."""
    (param_dtype, grad_dtype, state_dtype), (arguments, step_arguments, kinds) = combo, case
    rng = np.random.default_rng(5)
    params = [table(rng, shape, param_dtype, kinds) for shape in TABLES]
    if arguments and dialect.optimizer is TorchAdagrad:
        arguments = {**arguments, "sparse_weight_decay": "touched"}
    optimizer = dialect.optimizer(params, state_dtype=state_dtype, **arguments)
    for _ in range(3):
        grads = []
        for param in params:
            rows = len(param)
            count = int(rng.choice([0, 1, rows // 2, rows, 3 * rows]))
            values = table(rng, (count, *param.shape[1:]), grad_dtype, kinds)
            grads.append(RowSparse(rng.integers(0, rows, count), values))
        optimizer.step(grads, **step_arguments)
    yield f"{optimizer.grad_norm!r}"
    yield digest(params)
    yield digest(dialect.accumulators(optimizer))


def main() -> None:
    results: dict[str, object] = {"instruction set": _core.isa, "threads": _core.max_threads()}
    for dialect in DIALECTS.values():
        for combo in dtype_combos(dialect):
            for name, case in cases_of(dialect).items():
                results[key_of(dialect, name, combo)] = list(run(dialect, combo, name, case))
        for combo, (name, case) in itertools.product(REALS, SPARSE.items()):
            results[key_of(dialect, name, combo)] = list(run_sparse(dialect, combo, case))
    print(json.dumps(results))


if __name__ == "__main__":
    limit = int(sys.argv[1])
    with threadpool_limits(limit, user_api="openmp") if limit else nullcontext(), np.errstate(all="ignore"):
        main()
