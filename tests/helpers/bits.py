"""The one comparison of the tests: bit for bit, with no tolerance."""

import numpy as np
import numpy.typing as npt
from numpy_adagrad.inputs.types import Array

SHOWN = 5


def reals(array: Array) -> Array:
    """The elements in C order as one flat array, complex ones as their interleaved parts."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def bit_patterns(array: Array) -> Array:
    flat = reals(array)
    return flat.view(f"u{flat.dtype.itemsize}")


@np.errstate(invalid="ignore")
def differing(actual: Array, expected: Array) -> Array:
    """Flags of the reals that differ. A NaN equals every NaN: payload and sign are no part of a result."""
    both_nan = np.isnan(reals(actual)) & np.isnan(reals(expected))
    wrong: Array = (bit_patterns(actual) != bit_patterns(expected)) & ~both_nan
    return wrong


def assert_same_bits(actual: npt.ArrayLike, expected: npt.ArrayLike, context: str = "") -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype, f"{context}: dtype {actual.dtype}, expected {expected.dtype}"
    assert actual.shape == expected.shape, f"{context}: shape {actual.shape}, expected {expected.shape}"
    wrong = np.flatnonzero(differing(actual, expected))
    assert wrong.size == 0, _difference(actual, expected, wrong, context)


def _difference(actual: Array, expected: Array, wrong: Array, context: str) -> str:
    got, want = bit_patterns(actual), bit_patterns(expected)
    bits = int(np.unpackbits((got[wrong] ^ want[wrong]).view(np.uint8)).sum())
    digits = 2 * got.itemsize
    lines = [f"{context}: {wrong.size} of {got.size} {reals(actual).dtype} elements differ in {bits} bits"]
    for i in wrong[:SHOWN]:
        lines.append(
            f"  [{i}] {reals(actual)[i]!s} (0x{got[i]:0{digits}x}), "
            f"expected {reals(expected)[i]!s} (0x{want[i]:0{digits}x})"
        )
    return "\n".join(lines)
