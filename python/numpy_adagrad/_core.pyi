from collections.abc import Callable
from mmap import mmap
from typing import Any

from .inputs.types import Array, Group
from .optimizers._updates import StepOptions

version: str
isa: str
compiler: str
openmp: int | None

# The names of each rule's options, by the rule's name.
rules: dict[str, tuple[str, ...]]

# The results of Plan.step.
DONE: int
SKIPPED: int
STALE: int

def mapping_of(array: Any) -> mmap | None: ...
def max_threads() -> int: ...

# Whether a list, tuple or dict holds no other container; False for anything else.
def is_flat(grads: Any) -> bool: ...

# Raises an error unless this is an array of a supported dtype, in memory that can be read.
def check_array(array: Any, label: str) -> None: ...
def check_params(rule: str, params: list[Any], names: list[str], first: int = 0) -> None: ...

# The flat indices of the stored elements of a sparse array, or None if its index arrays do not fit.
def coordinate_elements(shape: tuple[int, ...], coords: tuple[Any, ...], count: int) -> Array | None: ...
def compressed_elements(
    indptr: Any, indices: Any, lines: int, size: int, count: int, by_column: bool
) -> Array | None: ...
def commit(pairs: list[tuple[Any, Any]]) -> None: ...
def fill(array: Array, value: Array) -> None: ...

# A block in which this thread rounds to nearest and keeps subnormals, whatever mode the program has set.
class IeeeBlock:
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...

class Plan:
    def __init__(
        self,
        rule: str,
        roles: tuple[str, str, str, str],
        watched_keys: tuple[str, ...] = (),
        indexed: bool = True,
    ) -> None: ...
    def add_groups(
        self,
        groups: list[Group],
        states: list[Array],
        counters: list[Array],
        names: list[str],
        group_index: Array,
        pairs: list[tuple[Any, Any]] = ...,
    ) -> None: ...
    @property
    def grad_norm(self) -> float | None: ...
    @grad_norm.setter
    def grad_norm(self, value: float | None) -> None: ...
    @property
    def has_counters(self) -> bool: ...
    # Whether there are as many groups as the plan was made for, with as many parameters: quicker than is_current.
    def has_sizes(self, groups: list[Any]) -> bool: ...
    # Calls the function; meanwhile the plan counts as stepping.
    def call_as_step(self, function: Callable[[], object]) -> None: ...
    @property
    def is_stepping(self) -> bool: ...
    def is_current(self, groups: list[Group]) -> bool: ...
    # `optimizer` has the method `_hyperparameters(index)`, `_check_shared`, and two dicts: `_scheduled` for the values
    # that schedules have in this step, and `_last_scheduled`, which has them, too, once the step is done. It is None if
    # the groups have all options. The options of a step, in their order: grad_scale, max_norm, norm_divisor,
    # skip_nonfinite, total_norm, only_norm. With `only_norm`, it returns SKIPPED.
    def step(self, groups: list[Group], grads: Any, optimizer: Any, options: StepOptions = (), /) -> int: ...
    # The same with gradients as a user gives them.
    def try_step(self, groups: list[Group], grads: Any, optimizer: Any, options: StepOptions = (), /) -> int: ...
    # Checks all that a step would check, and reads the options. Returns SKIPPED or STALE.
    def check_step(self, groups: list[Group], grads: Any, optimizer: Any, options: StepOptions = (), /) -> int: ...
    # Updates a range of the dense elements, of all gradients end to end; the last call of a step counts it. The first
    # one reads the options for all. Returns DONE or STALE.
    def step_range(
        self,
        groups: list[Group],
        grads: Any,
        optimizer: Any,
        grad_scale: float,
        begin: int,
        end: int,
        is_first: bool,
        is_last: bool,
    ) -> int: ...

class TensorReader:
    def __init__(self, tensor_type: type) -> None: ...
    # An array over the memory that the tensor has now, or None. It refers to the tensor if `keep` is True.
    def array_over(self, tensor: Any, keep: bool) -> Array | None: ...

class TensorPlan(Plan):
    def __init__(
        self, rule: str, roles: tuple[str, str, str, str], watched_keys: tuple[str, ...], reader: TensorReader
    ) -> None: ...
    def add_tensors(self, params: list[Any], param_states: list[Any], states: dict[Any, Any]) -> None: ...
    # `optimizer` has the methods `_hyperparameters(index)` and `_read_grad(index, group, param, grad)`.
    def step_tensors(
        self, groups: list[Group], states: dict[Any, Any], optimizer: Any, grad_scale: float = 1.0
    ) -> int: ...
    @property
    def updated(self) -> list[Any]: ...
