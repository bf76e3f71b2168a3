"""How the rules differ, kept from the tests of all that they share."""

import inspect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from helpers.contents import counters
from helpers.oracle import KeptIn, computing_type
from helpers.oracle_step import ORACLES, OracleStep
from helpers.values import real_type
from numpy_adagrad.inputs.types import Array, Params
from numpy_adagrad.optimizers import OPTIMIZERS
from numpy_adagrad.optimizers._base import Optimizer

RATE, START = 0.037, 0.1

Choices: TypeAlias = Mapping[str, Sequence[Any]]
# The options that choose among the parts of a rule's arithmetic: of the constructor, and of a group.
CHOICES: dict[str, tuple[Choices, Choices]] = {
    "torch": ({"weight_decay": (0, 0.013), "maximize": (False, True), "lr_decay": (0, 0.1)}, {}),
    "mindspore": ({"weight_decay": (0.0, 0.013), "loss_scale": (1.0, 3.7)}, {"grad_centralization": (False, True)}),
}


@dataclass(frozen=True)
class Dialect:
    """One rule, derived from its optimizer: a new rule needs no entry here.

    It may have one: the choices above, and an oracle in oracle_step.py.
    """

    optimizer: type[Any]

    def __str__(self) -> str:
        return str(self.optimizer._rule)

    def make(self, params: Params, *, weight_decay: float | None = None, **options: Any) -> Any:
        """An optimizer with the common rate and start; weight decay where the rule has it."""
        if weight_decay is not None and "weight_decay" in self._arguments:
            options["weight_decay"] = weight_decay
        return self.optimizer(params, **{**self.common, **options})

    @cached_property
    def rate(self) -> str:
        """The constructor's name of the learning rate, also in messages."""
        return next(name for name in self._arguments if name in ("lr", "eta") or name.endswith("learning_rate"))

    @cached_property
    def group_rate(self) -> str:
        """The name of the rate in a group."""
        return "lr" if "lr" in self._example.param_groups[0] else self.rate

    @cached_property
    def start(self) -> str | None:
        """The constructor's name of the value at which accumulators start, if there is one."""
        return next((name for name in self._arguments if "accum" in name), None)

    @cached_property
    def oracle(self) -> OracleStep | None:
        """The second statement of the rule, if there is one."""
        return ORACLES.get(self.optimizer._rule)

    @property
    def kept_in(self) -> KeptIn:
        """The type that gradients are rounded to after scaling and clipping, by the parameter's dtype."""
        return real_type if str(self) == "mindspore" else computing_type

    @property
    def no_floats(self) -> str:
        """What an error for an array of another dtype begins with."""
        return f"expected a floating-point dtype up to float64{' or complex128' if self.takes_complex else ''}, got "

    @cached_property
    def variants(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Options of the constructor and of a group, so that each part of the rule's arithmetic is run."""
        common: Choices = {"weight_decay": (0.0, 0.013)}
        own, of_a_group = CHOICES.get(str(self), (common, {}))
        return list(itertools.product(products(own), products(of_a_group)))

    @cached_property
    def watched_keys(self) -> list[str]:
        """The options of a group, all of which the next step reads."""
        return list(self.optimizer._watched_keys)

    @cached_property
    def takes_complex(self) -> bool:
        try:
            self.make([np.zeros(1, np.complex64)])
        except TypeError:
            return False
        return True

    @cached_property
    def counts_each(self) -> bool:
        """Whether each parameter has its own counter."""
        return len(counters(self.make([np.zeros(1), np.zeros(1)]))) == 2

    def steps(self, optimizer: Optimizer) -> list[int]:
        """The counters' values: one for each parameter, or one for all."""
        return [int(counter.item()) for counter in counters(optimizer)]

    def accumulators(self, optimizer: Optimizer) -> list[Array]:
        return [self.accumulator(optimizer, i) for i in range(len(optimizer.state))]

    def accumulator(self, optimizer: Optimizer, index: int) -> Array:
        return optimizer.state[index][self.optimizer._accumulator]

    def label(self, role: str, index: int, name: str | None = None) -> str:
        """How messages call an array: with its name, or the one that this rule gives to those without."""
        if name is None and self._example.names:
            name = f"param{index}"
        return f"{role}[{index}]" + ("" if name is None else f" ('{name}')")

    def first_step(
        self,
        params: list[Array],
        accums: list[Array],
        grads: list[Array | None],
        *,
        scaling: Mapping[str, Any] | None = None,
        group: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Update ordinary arrays as the first step does: by the oracle, else by the rule itself."""
        if self.oracle is not None:
            self.oracle(params, accums, grads, RATE, scaling or {}, {**options, **(group or {})})
            return
        optimizer = self.make([{"params": params, **group}] if group else params, **options)
        for i, accum in enumerate(accums):
            self.accumulator(optimizer, i)[...] = accum
        optimizer.step(grads, **(scaling or {}))
        for i, accum in enumerate(accums):
            accum[...] = self.accumulator(optimizer, i)

    @cached_property
    def _arguments(self) -> list[str]:
        return list(inspect.signature(self.optimizer).parameters)

    @cached_property
    def common(self) -> dict[str, float]:
        """The common rate and start, as arguments of the constructor."""
        return {self.rate: RATE, **({} if self.start is None else {self.start: START})}

    @cached_property
    def _example(self) -> Any:
        return self.optimizer([np.zeros(1)])


def products(choices: Choices) -> list[dict[str, Any]]:
    """One dict for each combination."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


DIALECTS = {rule: Dialect(optimizer) for rule, optimizer in OPTIMIZERS.items()}
"""The dialect of each rule, by the rule's name in the core."""
