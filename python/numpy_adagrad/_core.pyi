from collections.abc import Sequence
from typing import Any

from .parameters import Array, Hyper

isa: str
compiler: str
openmp: int | None

# What a step returns.
DONE: int
SKIPPED: int
STALE: int

def thread_limit() -> int: ...
def check_params(rule: str, params: list[Any], names: tuple[str, ...]) -> None: ...

class Plan:
    grad_norm: float | None
    def __init__(
        self,
        rule: str,
        params: list[Array],
        states: list[Array],
        counters: list[Array],
        names: tuple[str, ...],
        roles: tuple[str, str, str],
        indexed: bool = True,
    ) -> None: ...
    def is_current(self, groups: list[list[Array]]) -> bool: ...
    def step(
        self,
        groups: list[list[Array]],
        grads: Sequence[Any],
        which: Array,
        hypers: list[Hyper],
        grad_scale: float,
        max_norm: float | None,
        norm_divisor: float,
        on_nonfinite: str,
    ) -> int: ...
