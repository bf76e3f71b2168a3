from typing import Any

from .inputs.types import Array, Group, Hyper

version: str
isa: str
compiler: str
openmp: int | None

# What a step returns.
DONE: int
SKIPPED: int
STALE: int

def thread_limit() -> int: ...
def check_params(rule: str, params: list[Any], names: tuple[str, ...]) -> None: ...
def commit(pairs: list[tuple[Array, Array] | tuple[dict[Any, Any], dict[Any, Any]]]) -> None: ...
def fill(array: Array, value: Array) -> None: ...

class Options:
    def __init__(
        self,
        grad_scale: float = 1.0,
        max_norm: float | None = None,
        norm_divisor: float = 1.0,
        finite_only: bool = False,
    ) -> None: ...

class Plan:
    def __init__(
        self,
        rule: str,
        params: list[Array],
        states: list[Array],
        counters: list[Array],
        names: tuple[str, ...],
        roles: tuple[str, str, str],
        fields: tuple[str, ...] = (),
        indexed: bool = True,
    ) -> None: ...
    @property
    def grad_norm(self) -> float | None: ...
    def is_current(self, groups: list[Group]) -> bool: ...
    def repeat(self, groups: list[Group], grads: Any) -> bool: ...
    def step(
        self,
        groups: list[Group],
        grads: Any,
        asked: tuple[list[Hyper], Array] | None,
        options: Options,
    ) -> int: ...
