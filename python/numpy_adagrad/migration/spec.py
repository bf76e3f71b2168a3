"""The meaning of a set of arguments, in terms that name no rule."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from ..optimizers._base import Optimizer
from ..optimizers._slots import check_allocate, read_state_dtype
from .notes import Note

Scheduled: TypeAlias = float | Callable[[int], Any]
"""A number, or a callable that takes the number of steps so far; a list of rates is a `ListedRate`."""

PACKAGE_OPTIONS = ("state_dtype", "allocate")
"""Options that this package adds to the arguments of every library."""


@dataclass(frozen=True)
class Eps:
    """The number that keeps the divisor of an update away from zero."""

    value: float
    position: Literal["to the root", "under the root"]
    """Where it is added: ``sqrt(s) + eps`` or ``sqrt(s + eps)``."""

    def divisor(self, accumulator: float) -> float:
        """Return the divisor of an update."""
        if self.position == "under the root":
            return math.sqrt(accumulator + self.value)
        return math.sqrt(accumulator) + self.value


@dataclass(frozen=True)
class WeightDecay:
    """A weight decay and how a rule applies it."""

    value: Scheduled
    kind: Literal["L2", "L1", "decoupled"] = "L2"
    """Whether ``decay * w`` or ``decay * sign(w)`` is added to the gradient, or ``rate * decay * w`` is subtracted from
    the parameter `w` itself.
    """
    rounds_product: bool = True
    """Whether ``decay * w`` is rounded before it is added."""
    before_unscaling: bool = False
    """Whether it is added to the gradient as it comes, multiplied by the loss scale."""
    exempt_names: tuple[str, ...] = ()
    """Parameters with one of these in their name do not decay, unless there are groups."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The properties of a rule that none of its arguments changes."""

    library: str
    """The library's name, as it writes it."""
    arguments: Mapping[str, str]
    """The argument that sets a field of `Spec`, by field."""
    number_rounding: Literal["float32", "float64", "the dtype of the parameter"]
    """The precision of rate, decay and eps in an update."""
    counter: Literal["parameter", "optimizer"]
    """Whose steps a schedule and the decay of the rate count."""
    accumulates: Literal["before", "after"] = "before"
    """Whether an update divides by the accumulator with or without the current gradient."""
    accumulator_of: Literal["element", "row"] = "element"
    """Whether each element or each row has an accumulator; that of a row adds up mean squares."""
    skips_zero_accumulators: bool = False
    """Whether a zero accumulator gives no update, whatever eps is."""
    unscaling: Literal["division", "float32 reciprocal"] = "division"
    """How gradients lose the loss scale."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """For a field of `Spec`, a sentence on the library's own behaviour."""
    import_line: str = ""
    """The import of the library's optimizer."""
    call: str = ""
    """The name of the library's optimizer after that import."""
    set_rate: str = ""
    """Lines that set ``{rate}`` before a step; empty where the optimizer takes a list of rates."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The meaning of a set of arguments of one rule."""

    rule: Rule
    options: Mapping[str, Any]
    """All of the rule's arguments as they are, defaults included, in the order of its signature."""
    given: Collection[str]
    """The names of those that were given."""

    rate: Scheduled
    eps: Eps
    weight_decay: WeightDecay
    rate_decay: float = 0.0
    """The rate of a step is ``rate / (1 + steps so far * rate_decay)``."""
    initial: float = 0.0
    """Where accumulators start."""
    updates_accumulator: bool = True
    loss_scale: float = 1.0
    """Gradients come multiplied by it."""
    maximize: bool = False
    sparse_decay: Literal["raises an error", "decays touched rows", "decays all rows"] = "decays all rows"
    """The weight decay of a parameter with a sparse gradient."""
    state_dtype: Any = None
    allocate: Any = None
    notes: Sequence[Note] = ()
    """Notes on arguments and properties of this library alone. They hold for every target."""

    def was_given(self, field: str) -> bool:
        """Tell whether the argument that sets a field was given."""
        return self.rule.arguments.get(field) in self.given


def defaults_of(optimizer: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments of an optimizer except for the parameters, with their defaults, in order."""
    parameters = inspect.signature(optimizer).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def listed_iterators(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Turn iterators among arguments into lists, which can be read more than once."""
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in arguments.items()}


def read_options(
    optimizer: type[Optimizer], arguments: Mapping[str, Any], unchecked: Collection[str] = ()
) -> dict[str, Any]:
    """Let an optimizer check its arguments, over an array of one number; return them with its defaults.

    Whether `PACKAGE_OPTIONS` fit the parameters is checked with these.
    """
    arguments = listed_iterators(arguments)
    defaults = defaults_of(optimizer)
    for name in arguments:
        if name not in defaults:
            expected = f"expected those of {optimizer.__name__} ({', '.join(defaults)})"
            raise TypeError(f"arguments: {expected}, got {name!r}{optimizer._argument_hint(name, defaults)}")
    skipped = (*PACKAGE_OPTIONS, *unchecked)
    checked: dict[str, Any] = {name: value for name, value in arguments.items() if name not in skipped}
    make: Callable[..., Any] = optimizer  # each rule has its own arguments
    make([np.zeros(1, np.float32)], **checked)
    read_state_dtype(arguments.get("state_dtype"))
    check_allocate(arguments.get("allocate"))
    return {**defaults, **arguments}
