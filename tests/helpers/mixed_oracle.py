"""The oracle of a training with dense and sparse gradients, several parameters, and all options of a step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from helpers.oracle import (
    Gradients,
    clipped,
    computing_type,
    divided,
    fixed_sum,
    mindspore_update,
    torch_update,
    widened,
)
from helpers.sparse_oracle import mindspore_rows, torch_rows, total_rows
from helpers.values import real_type
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array

Options: TypeAlias = dict[str, Any]


@dataclass
class MixedOracle:
    """Copies of the parameters, in C order, and of their state."""

    rule: str
    params: list[Array]
    accums: list[Array]
    options: Options  # of the rule's oracle, but for the rate
    skipped_steps: int = 0
    norm: float | None = None

    def __post_init__(self) -> None:
        self.kept_in = real_type if self.rule == "mindspore" else computing_type
        self.counts = [np.zeros((), np.float32) for _ in self.params]
        self.steps = 0

    @np.errstate(all="ignore")
    def step(
        self,
        grads: Sequence[Any],
        rate: Any,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        on_nonfinite: str = "propagate",
    ) -> None:
        """The rate may be a function of the number of steps before."""
        kept = [self.kept_in(param.dtype) for param in self.params]
        rows, scaled = self._read(grads)
        scaled = divided(scaled, grad_scale, kept)
        self.norm = None
        if max_norm is not None or on_nonfinite != "propagate":
            self.norm = self._norm(scaled, [row is not None for row in rows])
            if on_nonfinite == "skip" and not np.isfinite(self.norm):
                self.skipped_steps += 1
                return
        if max_norm is not None:
            assert self.norm is not None
            scaled = clipped(scaled, max_norm, self.norm, kept)
        for i, g in enumerate(scaled):
            if g is not None:
                self._update(i, rows[i], g, rate)
        self.steps += 1

    def _read(self, grads: Sequence[Any]) -> tuple[Gradients, Gradients]:
        """For each gradient its rows, None for a dense one, and its numbers in the computing type."""
        rows: list[Array | None] = []
        numbers: list[Array | None] = []
        for param, grad in zip(self.params, grads, strict=True):
            if isinstance(grad, RowSparse):
                values = -grad.values if self.options.get("maximize") else grad.values
                found, totals = total_rows(grad.indices, np.ascontiguousarray(values))
                rows.append(found)
                numbers.append(totals.astype(computing_type(param.dtype)))
            else:
                rows.append(None)
                numbers.append(None if grad is None else widened(np.asarray(grad), param.dtype))
        return rows, numbers

    def _norm(self, numbers: Sequence[Array | None], is_sparse: Sequence[bool]) -> Any:
        total = np.float64(0)
        for g, by_row in zip(numbers, is_sparse, strict=True):
            if g is not None:
                part = np.float64(0)
                for row in g if by_row else [g]:
                    part += fixed_sum(np.square(np.ravel(row).astype(np.float64)))
                total += part
        return np.sqrt(total) / np.float64(self.options.get("loss_scale", 1.0))

    def _update(self, i: int, rows: Array | None, g: Array, rate: Any) -> None:
        param, accum, count = self.params[i], self.accums[i], self.counts[i]
        if self.rule == "torch":
            lr = rate(int(count)) if callable(rate) else rate
            if rows is None:
                torch_update(param, accum, count, g, lr=lr, **self.options)
            else:
                options = {key: value for key, value in self.options.items() if key != "maximize"}
                single = len(rows) == 1 and param.ndim == 1
                torch_rows(param, accum, count, rows, g, single_element=single, lr=lr, **options)
        else:
            rate = rate(self.steps) if callable(rate) else rate
            if rows is None:
                mindspore_update(param, accum, g, rate=rate, **self.options)
            else:
                mindspore_rows(param, accum, rows, g, rate=rate, **self.options)
