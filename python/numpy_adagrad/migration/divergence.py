"""The divergence of two rules that start from the same parameters and get the same gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..inputs.rounding import ieee, rounded
from ..inputs.validation import positive_scale
from ..optimizers import OPTIMIZERS
from ..optimizers._base import Optimizer
from .distance import Distance, Floats, distance
from .notes import Note
from .registry import rule_module
from .schedules import ListedRate
from .spec import listed_iterators
from .translate import translate


class Setup(NamedTuple):
    """The setup of one rule."""

    rule: str
    """Its name in `OPTIMIZERS`."""
    arguments: dict[str, Any]
    grad_scale: float = 1.0
    """The number by which each of its steps divides the gradients."""
    negates: bool = False
    """Whether it gets the negated gradients."""


class Settings(NamedTuple):
    """The setups of two rules, and the notes on the translation between them."""

    first: Setup
    second: Setup
    notes: list[Note]
    loss_scale: float = 1.0
    """The gradients of both are multiplied by it."""


class Problem(NamedTuple):
    """A start of the parameters, and gradients."""

    start: dict[str, Floats]
    steps: int
    grads: Callable[[], Iterator[dict[str, Floats]]]
    """Yields the gradients of each step, by parameter, the same at every call."""


@ieee()
def settings(rules: tuple[str, str], source: str, arguments: dict[str, Any] | None) -> Settings:
    """Set up two rules: one with the given arguments, the other with their translation.

    Where an argument has no counterpart in the other rule, that rule gets other gradients. If only one of them has
    ``maximize=True``, the other gets the negated gradients. With a `loss_scale` both rules get gradients multiplied by
    it, and a rule without a `loss_scale` divides them by the `grad_scale` of each step.

    Parameters
    ----------
    rules : tuple of two str
        Names of rules.
    source : str
        The rule that takes `arguments`.
    arguments : dict or None
        Arguments of `source`; missing ones have their defaults. With None each rule runs with its own defaults.

    Returns
    -------
    Settings

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For arguments that `translate` does not take.

    Examples
    --------
    >>> from numpy_adagrad.migration.divergence import settings
    >>> settings(("torch", "mindspore"), "torch", {"maximize": True}).second.negates
    True
    """
    target = rules[1] if source == rules[0] else rules[0]
    arguments = None if arguments is None else listed_iterators(arguments)
    translated, notes = translate(source, target, **(arguments or {}))
    if arguments is None:
        text = "Each rule runs with its own default."
        notes = [note._replace(text=text) if note.kind == "defaults differ" else note for note in notes]
        return Settings(Setup(rules[0], {}), Setup(rules[1], {}), notes)
    meant = rule_module(source, "source").describe(arguments)
    found = rule_module(target, "target").describe(translated)
    sides = {
        source: Setup(source, arguments),
        target: Setup(target, translated, meant.loss_scale / found.loss_scale, meant.maximize != found.maximize),
    }
    return Settings(sides[rules[0]], sides[rules[1]], notes, meant.loss_scale)


def random_problem(size: int, steps: int, seed: int) -> Problem:
    """Draw the start of one parameter `w`, and normal gradients for it."""
    for_start, for_grads = np.random.SeedSequence(seed).spawn(2)

    def grads() -> Iterator[dict[str, Floats]]:
        rng = np.random.default_rng(for_grads)
        for _ in range(steps):
            yield {"w": rng.standard_normal(size, np.float32)}

    return Problem({"w": np.random.default_rng(for_start).standard_normal(size, np.float32)}, steps, grads)


def runs(chosen: Settings, problem: Problem) -> Iterator[tuple[Floats, Floats]]:
    """Run both rules.

    Yields
    ------
    tuple of two arrays
        All elements of the first and of the second rule, concatenated: at the start, then after each step. The next
        step updates these same arrays.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        Before the start is yielded, for arguments that a rule does not take, or a list of rates that is too short.
    """
    sides = chosen.first, chosen.second
    (flat, params), (other_flat, other_params) = (concatenate(problem.start) for _ in sides)
    optimizers = [make(side, params) for side, params in zip(sides, (params, other_params), strict=True)]
    for side in sides:
        check_rates(side, problem.steps)
    scale = rounded(positive_scale(chosen.loss_scale, "loss_scale"), np.float32)
    yield flat, other_flat
    for unscaled in problem.grads():
        with ieee():
            grads = {name: grad * scale for name, grad in unscaled.items()}
        for side, optimizer in zip(sides, optimizers, strict=True):
            signed = {name: -grad for name, grad in grads.items()} if side.negates else grads
            optimizer.step(signed, grad_scale=side.grad_scale)
        yield flat, other_flat


def make(side: Setup, params: dict[str, Floats]) -> Optimizer:
    """Make the optimizer of a rule."""
    optimizer: Callable[..., Optimizer] = OPTIMIZERS[side.rule]
    return optimizer(params, **side.arguments)


def check_rates(side: Setup, steps: int) -> None:
    """Check that a list of rates in the arguments of a rule lasts for all steps."""
    spec = rule_module(side.rule, "rule").describe(side.arguments)
    name = spec.rule.arguments["rate"]
    was_translated = isinstance(side.arguments.get(name), ListedRate)
    if isinstance(spec.rate, ListedRate) and not was_translated and len(spec.rate.rates) < steps:
        raise ValueError(f"{name}: expected a rate for each of {steps} steps, got {len(spec.rate.rates)}")


def concatenate(arrays: dict[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """Copy arrays into one; return it and its part for each of them."""
    flat = np.concatenate([array.ravel() for array in arrays.values()])
    ends = np.cumsum([array.size for array in arrays.values()])
    parts = np.split(flat, ends[:-1])
    return flat, {name: part.reshape(arrays[name].shape) for name, part in zip(arrays, parts, strict=True)}


def distances(chosen: Settings, problem: Problem) -> Iterator[Distance]:
    """Run both rules; yield their distance after each step."""
    pairs = runs(chosen, problem)
    next(pairs)
    for one, other in pairs:
        yield distance(one, other)
