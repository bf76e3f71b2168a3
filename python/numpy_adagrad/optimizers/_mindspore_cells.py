"""Schedules of MindSpore, which are cells of a tensor, as callables of the number of steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inputs.tensors import is_cell, to_array


class FromCell:
    """A schedule of MindSpore as a callable of the step, compiled as MindSpore's optimizer compiles it."""

    def __init__(self, cell: Any) -> None:
        self.cell = cell
        self._compiled: Any = None

    def __call__(self, step: int) -> float:
        import mindspore

        if self._compiled is None:
            self._compiled = mindspore.jit(self.cell)
        return float(np.asarray(to_array(self._compiled(mindspore.Tensor([step], mindspore.int32)), "cell")).item())

    def __repr__(self) -> str:
        return f"FromCell({type(self.cell).__name__})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FromCell) and other.cell is self.cell

    def __hash__(self) -> int:
        return id(self.cell)


def from_cell(value: Any) -> Any:
    """Return a schedule of MindSpore, such as ``nn.CosineDecayLR``, as a callable; anything else as it is."""
    return FromCell(value) if is_cell(value) else value
