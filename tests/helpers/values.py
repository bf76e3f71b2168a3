"""Test data: the one table of awkward values, random arrays of four kinds, and arrays with something wrong."""

from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt
from numpy_adagrad.inputs.types import Array

Shape: TypeAlias = int | tuple[int, ...]

bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)

KINDS = ("normal", "wide", "bits", "awkward")

# The powers of ten that 'wide' spreads over, chosen so that squares stay finite in the computing type.
DECADES = {"float16": 3, "bfloat16": 18, "float32": 18, "float64": 150}


def real_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    dtype = np.dtype(dtype)
    return np.empty(0, dtype).real.dtype if dtype.kind == "c" else dtype


def _awkward(dtype: np.dtype[Any]) -> Array:
    limits = ml_dtypes.finfo(dtype)
    one, least, tiny = dtype.type(1), limits.smallest_subnormal, limits.smallest_normal
    sizes = [
        0, least, 2 * least, tiny - least, tiny, tiny + least,
        np.sqrt(tiny), np.sqrt(least), np.sqrt(limits.max), limits.max, limits.max - limits.max / 4,
        one, np.nextafter(one, dtype.type(0)), one + limits.eps, limits.eps, one / 3, 2, 3,
        1e-10, 1e-8, 1e-4, 0.1, 2049, 65504, np.inf,
    ]  # fmt: skip
    some = np.array([dtype.type(size) for size in sizes], dtype)
    return np.concatenate([some, -some, np.array([np.nan], dtype)])


with np.errstate(all="ignore"):
    AWKWARD = {np.dtype(name): _awkward(np.dtype(name)) for name in ("float16", bfloat16, "float32", "float64")}


def without_subnormals(x: Array) -> Array:
    """Subnormal elements become the smallest normal number of their sign."""
    tiny = ml_dtypes.finfo(x.dtype).smallest_normal
    return np.where((abs(x) < tiny) & (x != 0), np.copysign(tiny, x), x)


def _draw_reals(rng: np.random.Generator, count: int, dtype: np.dtype[Any], kind: str) -> Array:
    if kind == "normal":
        return rng.standard_normal(count).astype(dtype)
    if kind == "wide":
        decades = DECADES[dtype.name]
        return (rng.standard_normal(count) * 10.0 ** rng.uniform(-decades, decades, count)).astype(dtype)
    if kind == "bits":
        return rng.integers(0, 256, count * dtype.itemsize, np.uint8).view(dtype)
    if kind == "awkward":
        return rng.choice(AWKWARD[dtype], count)
    raise ValueError(f"kind: expected one of {KINDS}, got {kind!r}")


@np.errstate(all="ignore")
def draw(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike, kind: str, *, subnormals: bool = True) -> Array:
    """A random array. Complex numbers get both parts drawn alike."""
    dtype = np.dtype(dtype)
    part = real_type(dtype)
    count = int(np.prod(shape)) * (dtype.itemsize // part.itemsize)
    x = _draw_reals(rng, count, part, kind)
    if not subnormals:
        x = without_subnormals(x)
    return x.view(dtype).reshape(shape)


def normal(*shape: int, dtype: npt.DTypeLike = np.float32, seed: int = 1) -> Array:
    """A random array with its own memory, which may be resized."""
    return draw(np.random.default_rng(seed), shape, dtype, "normal").copy()


def exact_reals(rng: np.random.Generator, count: int, dtype: np.dtype[Any], kind: str) -> Array:
    """Numbers much as `draw` makes them, but the same on every machine: 'normal' and 'wide' without libm."""
    if kind not in ("normal", "wide"):
        return _draw_reals(rng, count, dtype, kind)
    numbers = rng.integers(1 - (1 << 53), 1 << 53, count) * 2.0**-51  # between -4 and 4
    if kind == "wide":
        octaves = DECADES[dtype.name] * 3
        numbers = np.ldexp(numbers, rng.integers(-octaves, octaves + 1, count, np.int32))
    return numbers.astype(dtype)


def zeros(shape: Shape = 3, dtype: npt.DTypeLike = np.float32) -> Array:
    return np.zeros(shape, dtype)


def ones(shape: Shape = 3, dtype: npt.DTypeLike = np.float32) -> Array:
    return np.ones(shape, dtype)


def read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


def misaligned(array: Array) -> Array:
    """The same numbers one byte off."""
    copy = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
