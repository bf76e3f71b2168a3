"""Check numbers and arrays. Every error names the argument, the expected value and the actual one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .hints import scheduler
from .memmap import check_arrays
from .rounding import ieee
from .tensors import any_array, check_no_cell
from .types import Array


def number(value: Any, label: str) -> float:
    """Convert a Python or NumPy number, or an array of one element, to a float."""
    if type(value) is float:
        return value
    if isinstance(value, (float, int)):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{label}: expected a number within float64, got a larger one") from None
    array = any_array(value, label)
    if array is not None:
        check_unmasked(label, array)
        if array.size == 1 and is_real(array.dtype):
            return float(array.item())
        raise TypeError(f"{label}: expected a number, got an array of shape {array.shape} and dtype {array.dtype}")
    raise TypeError(f"{label}: expected a number or a 1-element array, got {type(value).__name__}{scheduler(value)}")


def is_real(dtype: np.dtype[Any]) -> bool:
    """Return whether a dtype holds real numbers. Those of `ml_dtypes` have the kind V, as structured ones do."""
    return dtype.kind in "biuf" or (dtype.kind == "V" and np.can_cast(dtype, np.float64))


def check_unmasked(label: str, array: Any) -> None:
    """Raise TypeError for an array with a mask: the elements under it mean nothing."""
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(array, masked.MaskedArray):
        raise TypeError(
            f"{label}: expected an array without a mask, got {type(array).__name__}; fill it with .filled(0)"
        )


def is_schedule(value: Any, label: str) -> bool:
    """Return whether an option is a callable of the number of steps; raise TypeError for another kind of callable."""
    expected = f"{label}: expected a callable of the number of steps, got"
    if isinstance(value, type):
        raise TypeError(f"{expected} the class {value.__name__}; give {value.__name__}(...)")
    if hasattr(type(value), "param_groups"):
        got = f"expected a number or a callable of the number of steps, got the optimizer {type(value).__name__}"
        raise TypeError(f"{label}: {got}; schedules take the learning rate in its place")
    check_no_cell(expected, value)
    return callable(value)


# Between these, a number rounds to a positive and finite float32.
BELOW_FLOAT32, ABOVE_FLOAT32 = 2.0**-150, (2 - 2.0**-24) * 2.0**127


def positive_scale(value: Any, label: str = "grad_scale") -> float:
    """Check a scale of gradients. The kernels round it to float32, as torch does."""
    scale = number(value, label)
    if not BELOW_FLOAT32 < scale < ABOVE_FLOAT32:
        raise ValueError(f"{label}: expected a positive number within float32, got {value}")
    return scale


def norm_limit(value: Any) -> float:
    """Check `max_norm` and convert it to a float."""
    limit = number(value, "max_norm")
    if not limit >= 0:
        raise ValueError(f"max_norm: expected a number of at least 0, got {value}")
    return limit


def flag(value: Any, label: str) -> bool:
    """Convert anything with a truth value to a bool, except a text: "no" would count as true."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{label}: expected True or False, got {value!r:.60}")
    try:
        return bool(value)
    except (TypeError, ValueError, RuntimeError):
        got = type(value).__name__ + (f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else "")
        raise TypeError(f"{label}: expected True or False, got {got}") from None


def check_flag(label: str, value: Any) -> None:
    """Raise TypeError for anything but True and False: the text "no" would count as true."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{label}: expected True or False, got {value!r:.60}")


def step_count(value: Any, label: str, dtype: npt.DTypeLike | None = None) -> float:
    """Check a number of steps, which must lie in the range of `dtype`, and convert it to a float."""
    count = number(value, label)
    if not (count >= 0 and count.is_integer()):
        raise ValueError(f"{label}: expected a whole number of steps, got {count}")
    if dtype is not None:
        kept = np.dtype(dtype)
        largest = float(np.finfo(kept).max) if kept.kind == "f" else np.iinfo(kept).max
        if count > largest:
            raise ValueError(f"{label}: expected a number of steps within {kept}, got {count:.15g}")
    return count


def check_dict(label: str, value: Any) -> None:
    """Raise TypeError if `value` is not a mapping."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{label}: expected a dict, got {type(value).__name__}")


def check_callable(label: str, value: Any) -> None:
    """Raise TypeError for anything that cannot be called."""
    if not callable(value):
        raise TypeError(f"{label}: expected a callable, got {type(value).__name__}")


def read_entry(mapping: Any, key: Any, label: str) -> Any:
    """Return an entry of a mapping that comes from outside."""
    check_dict(label, mapping)
    if key not in mapping:
        raise KeyError(f"{label}: expected an entry {key!r}")
    return mapping[key]


def check_hashable(label: str, value: Any) -> None:
    """Raise TypeError if `value` cannot be a key."""
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"{label}: expected hashable entries, got {value!r:.60}") from None


def check_list(label: str, value: Any) -> None:
    """Raise TypeError if `value` is neither a list nor a tuple."""
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{label}: expected a list, got {type(value).__name__}")


def positive_int(value: Any, label: str) -> int:
    """Check a whole number and convert it to an int: one of NumPy may wrap."""
    if isinstance(value, bool) or not (isinstance(value, (int, np.integer)) and value > 0):
        raise ValueError(f"{label}: expected a whole number above 0, got {value!r}")
    return int(value)


def check_shape(label: str, expected: tuple[int, ...], got: tuple[int, ...]) -> None:
    """Raise ValueError if the shapes differ."""
    if got != expected:
        raise ValueError(f"{label}: expected shape {expected}, got {got}")


def cast_like(value: Any, array: Array, label: str) -> Array:
    """Check that a loaded array fits `array` and return it in the same dtype."""
    if isinstance(value, np.generic):  # NumPy returns scalars in place of 0-d arrays
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(value).__name__}")
    check_unmasked(label, value)
    check_shape(label, array.shape, value.shape)
    # ml_dtypes does not count this cast among those of the same kind.
    halves = value.dtype.name == "bfloat16" and array.dtype == np.float16
    if not (halves or np.can_cast(value.dtype, array.dtype, "same_kind")):
        raise TypeError(f"{label}: expected values that {array.dtype} can hold, got {value.dtype}")
    check_arrays([(label, value)])
    with ieee():
        return value.astype(array.dtype, copy=False)


def check_fit(label: str, array: Array, value: Array) -> None:
    """Raise an error if the shape or dtype of `array` differs from that of `value`."""
    check_shape(label, value.shape, array.shape)
    if array.dtype != value.dtype:
        raise TypeError(f"{label}: expected dtype {value.dtype}, got {array.dtype}")


def check_kind(label: str, value: Any, module: str, name: str) -> None:
    """Raise TypeError if `value` is not an instance of a class, without importing the library of the class."""
    library = sys.modules.get(module)
    if library is None or not isinstance(value, getattr(library, name)):
        kind = type(value)
        raise TypeError(f"{label}: expected a {module}.{name}, got {kind.__module__}.{kind.__qualname__}")


def check_same(label: str, ours: Any, theirs: Any) -> None:
    """Raise ValueError if two settings that must agree differ."""
    if ours != theirs:
        raise ValueError(f"{label}: expected {ours}, got {theirs}")


def same_memory(one: Array, other: Array) -> bool:
    """Return whether two arrays of the same dtype have the same elements in memory."""
    keys = ("data", "shape", "strides")
    return all(one.__array_interface__[key] == other.__array_interface__[key] for key in keys)
