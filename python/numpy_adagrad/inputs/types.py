"""Type aliases of arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, SupportsFloat, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Array: TypeAlias = npt.NDArray[Any]
Group: TypeAlias = dict[str, Any]
Number: TypeAlias = "float | np.generic | Array | SupportsFloat"
Rate: TypeAlias = "Number | Callable[[int], Number]"
Params: TypeAlias = "Array | Mapping[str, Any] | Iterable[Any] | DataclassInstance"
