"""The rules that can be translated. Each has a file in this folder with the name of the rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

from ..optimizers import OPTIMIZERS
from .notes import Note
from .saved_state import Groups, State
from .spec import Rule, Spec


class RuleModule(Protocol):
    """The contents of a rule's file."""

    RULE: Rule

    def describe(self, arguments: Mapping[str, Any]) -> Spec:
        """Describe arguments of the rule. Raise an error for one that the rule's optimizer does not take."""

    def arguments_for(self, spec: Spec) -> tuple[dict[str, Any], list[Note]]:
        """Return the rule's arguments for a description, and a note on each argument of the source."""

    def read_state(
        self, state_dict: Mapping[str, Any], *, names: Sequence[str] | None, groups: Groups, with_rates: bool
    ) -> State:
        """Read a state dict of the rule, with names and groups that it does not hold."""

    def write_state(
        self, state: State, *, parameters: Sequence[Any] | None, tensors: bool, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Make a state dict of the rule."""


RULES = tuple(sorted(name for name in OPTIMIZERS if find_spec(f"{__package__}.{name}")))
"""The names of the rules that have a file here."""


def rule_module(name: str, role: str) -> RuleModule:
    """Return the module of a rule. `role` is the name of the argument in an error."""
    if name not in RULES:
        raise ValueError(f"{role}: expected {' or '.join(map(repr, RULES))}, got {name!r}")
    return cast(RuleModule, import_module(f"{__package__}.{name}"))


def rule_modules(source: str, target: str) -> tuple[RuleModule, RuleModule]:
    """Return the modules of two rules."""
    modules = rule_module(source, "source"), rule_module(target, "target")
    if source == target:
        raise ValueError(f"target: expected a framework other than the source, got {target!r} twice")
    return modules
