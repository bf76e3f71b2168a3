"""Run `numpy-adagrad diff`: a table of the arguments, the first difference, and a plot of the divergence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from reprlib import Repr
from typing import Any, NamedTuple

import numpy as np
from rich.progress import track
from rich.table import Table
from rich.text import Text

from ..migration.distance import Distance, Floats, element_name, first_beyond
from ..migration.divergence import Problem, Settings, distances, random_problem, runs
from ..migration.npz_file import read_problem
from ..migration.registry import rule_module
from ..migration.spec import Rule, defaults_of
from ..optimizers import OPTIMIZERS
from .console import Console
from .diff_plot import draw

LONG = 30_000_000
"""A run that updates at least this many elements in all takes a second or two, and shows a progress bar."""


class Outcome(NamedTuple):
    """Settings and results of the two runs."""

    chosen: Settings
    problem: Problem
    distances: list[Distance]
    trajectories: dict[str, Floats]
    """By rule, the values of the element with the largest distance at the end: at the start, then after each step."""


def compute(chosen: Settings, gradients: Path | None, steps: int, size: int, seed: int) -> Outcome:
    """Run both rules. Mistakes in the arguments raise TypeError, ValueError or RuntimeError."""
    problem = random_problem(size, steps, seed) if gradients is None else read_problem(gradients)
    after_steps = list(followed(distances(chosen, problem), problem, "Distances"))
    element = after_steps[-1].element
    # A second run costs less than keeping all elements of all steps.
    pairs = followed(runs(chosen, problem), problem, "Trajectory")
    values = np.array([(one[element], other[element]) for one, other in pairs])
    trajectories = dict(zip((chosen.first.rule, chosen.second.rule), values.T, strict=True))
    return Outcome(chosen, problem, after_steps, trajectories)


def followed(run: Iterator[Any], problem: Problem, title: str) -> Iterable[Any]:
    """Show a bar while a long run lasts."""
    elements = problem.steps * sum(array.size for array in problem.start.values())
    console = Console()
    hidden = elements < LONG or not console.is_terminal
    return track(run, title, problem.steps, console=console, transient=True, disable=hidden)


def show(outcome: Outcome, tolerance: float, out: Path) -> None:
    """Plot how the rules diverge into the file `out`; print the arguments and a report."""
    # The plot comes first: whoever reads what is printed, such as `head`, may stop at any line.
    name = element_name(outcome.problem.start, outcome.distances[-1].element)
    draw(outcome.trajectories, name, outcome.distances, tolerance, out)
    console = Console()
    console.print(table(outcome.chosen))
    for note in outcome.chosen.notes:
        if note.kind != "exact":
            console.print(Text.assemble((note.argument, "bold"), f": {note.text}"))
    for line in report(outcome, tolerance):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"Plot written to {out}", markup=False, highlight=False, soft_wrap=True)


def report(outcome: Outcome, tolerance: float) -> Iterator[str]:
    """Say at which step and where the rules first differ, and how far apart they end."""
    start, after_steps = outcome.problem.start, outcome.distances
    steps, elements = len(after_steps), sum(array.size for array in start.values())
    yield f"{steps:,} steps of {elements:,} elements in float32, the same start and gradients for both rules."
    scale = outcome.chosen.loss_scale
    for setup, rule in zip((outcome.chosen.first, outcome.chosen.second), rules_of(outcome.chosen), strict=True):
        if setup.negates:
            yield f"{rule.library}'s rule got the gradients negated."
        if setup.grad_scale != 1:
            yield f"Both got the gradients times {scale:g}; {rule.library}'s rule divided by it, as grad_scale."
    last = after_steps[-1]
    compared = "They"
    if last.not_finite:
        begin = next(step for step, one in enumerate(after_steps, 1) if one.not_finite)
        yield f"{last.not_finite:,} of {elements:,} elements are not finite, from step {begin:,}."
        compared = "The others" if last.not_finite < elements else ""
    first = first_beyond(after_steps, tolerance)
    if first is None:
        if compared:
            yield f"{compared} never differ by more than {tolerance:g}."
    else:
        there = after_steps[first - 1]
        where = element_name(start, there.element)
        yield f"They first differ by more than {tolerance:g} at step {first}: {where}, by {there.largest:.3g}."
    if last.largest == 0:
        if compared:
            yield f"{compared} end at the same values."
        return
    yield f"They end {last.largest:.3g} apart, at {element_name(start, last.element)}; the median is {last.median:.3g}."


def rules_of(chosen: Settings) -> tuple[Rule, Rule]:
    """Return the properties of both rules."""
    return rule_module(chosen.first.rule, "rule").RULE, rule_module(chosen.second.rule, "rule").RULE


def table(chosen: Settings) -> Table:
    """List every argument of both optimizers, with its value in the run."""
    first, second = (defaults_of(OPTIMIZERS[side.rule]) | side.arguments for side in (chosen.first, chosen.second))
    rule, other = rules_of(chosen)
    counterparts = {name: other.arguments.get(field, "") for field, name in rule.arguments.items()}
    pairs = [(name, counterparts.get(name, "")) for name in first]
    pairs += [("", name) for name in second if name not in counterparts.values()]
    kinds = {note.argument: note.kind for note in chosen.notes}
    result = Table(title="The arguments of both rules")
    for heading in (rule.library, other.library):
        result.add_column(heading, overflow="fold")
    result.add_column("note", no_wrap=True)
    for name, key in pairs:
        note = kinds.get(name) or kinds.get(key) or ""
        result.add_row(*map(Text, (shown(first, name), shown(second, key), note)))
    return result


def shown(arguments: dict[str, Any], name: str) -> str:
    """Write an argument as in a call, a long value shortened."""
    brief = Repr()
    brief.maxother = 60
    return f"{name}={brief.repr(arguments[name])}" if name else ""
