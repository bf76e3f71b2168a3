"""How far the two rules run apart: from the same start, on the same gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import MindSporeAdagrad, TorchAdagrad
from ..inputs.validation import positive_scale
from .notes import Note
from .translate import translate

Floats = npt.NDArray[np.float32]
Distances = npt.NDArray[np.float64]


class Settings(NamedTuple):
    """What each rule runs with."""

    torch: dict[str, Any]
    mindspore: dict[str, Any]
    notes: list[Note]
    loss_scale: float = 1.0
    """What the gradients of both are multiplied by; torch's rule divides by it again, as `grad_scale`."""
    negated: bool = False
    """Whether MindSpore's rule gets the negated gradients."""


class Problem(NamedTuple):
    """Where the parameters start, and what their gradients are."""

    start: dict[str, Floats]
    steps: int
    grads: Callable[[], Iterator[dict[str, Floats]]]
    """Yields those of each step, by parameter, the same at every call."""


class Distance(NamedTuple):
    """How far apart the rules are after a step: the absolute differences of their elements."""

    largest: float
    median: float
    element: int
    """Where the largest is, in the flat order of all parameters."""


def settings(source: str | None, arguments: dict[str, Any]) -> Settings:
    """Set both rules up: one with arguments of its framework, the other with their translation.

    What an argument cannot say in the other framework, its gradients can. ``maximize=True`` of torch runs
    MindSpore's rule on the negated gradients. MindSpore's `loss_scale` says that the gradients come multiplied by it:
    both rules get them so, and torch's divides by it as the `grad_scale` of each step.

    Parameters
    ----------
    source : 'torch', 'mindspore' or None
        The framework that the arguments are of. None runs each rule with its own defaults.
    arguments : dict
        Those of `source`; where one is missing, its default.

    Returns
    -------
    Settings

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For arguments that `translate` refuses.

    Examples
    --------
    >>> from numpy_adagrad.migration.divergence import settings
    >>> settings("torch", {"maximize": True}).negated
    True
    """
    if source is None:
        notes = translate("torch", "mindspore").notes
        own = "Each rule runs with its own default."
        return Settings({}, {}, [note._replace(text=own) if note.kind == "defaults differ" else note for note in notes])
    target = "mindspore" if source == "torch" else "torch"
    translated, notes = translate(source, target, **arguments)
    if source == "torch":
        return Settings(arguments, translated, notes, negated=bool(arguments.get("maximize", False)))
    return Settings(translated, arguments, notes, loss_scale=arguments.get("loss_scale", 1.0))


def random_problem(size: int, steps: int, seed: int) -> Problem:
    """Draw the start of one parameter `w`, and normal gradients for it."""
    start, after = np.random.SeedSequence(seed).spawn(2)

    def grads() -> Iterator[dict[str, Floats]]:
        rng = np.random.default_rng(after)
        for _ in range(steps):
            yield {"w": rng.standard_normal(size, np.float32)}

    return Problem({"w": np.random.default_rng(start).standard_normal(size, np.float32)}, steps, grads)


def runs(chosen: Settings, problem: Problem) -> Iterator[tuple[Floats, Floats]]:
    """Run both rules.

    Yields
    ------
    tuple of two arrays
        All elements of torch's rule and of MindSpore's, end to end: at the start, then after each step. They are the
        arrays that the next step moves.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        Before the start is yielded, for arguments that a rule refuses, or rates that do not last for all steps.
    """
    (torch_flat, torch_params), (mindspore_flat, mindspore_params) = (end_to_end(problem.start) for _ in range(2))
    torch_rule = TorchAdagrad(torch_params, **chosen.torch)
    mindspore_rule = MindSporeAdagrad(mindspore_params, **chosen.mindspore)
    rates = mindspore_rule.param_groups[0]["lr"]
    if isinstance(rates, np.ndarray) and len(rates) < problem.steps:
        raise ValueError(f"learning_rate: expected a rate for each of {problem.steps} steps, got {len(rates)}")
    scale = np.float32(positive_scale(chosen.loss_scale))
    sign = np.float32(-1 if chosen.negated else 1)
    yield torch_flat, mindspore_flat
    for given in problem.grads():
        with np.errstate(over="ignore"):
            grads = {name: grad * scale for name, grad in given.items()}
        torch_rule.step(grads, grad_scale=float(scale))
        mindspore_rule.step({name: sign * grad for name, grad in grads.items()})
        yield torch_flat, mindspore_flat


def end_to_end(arrays: dict[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """Copy arrays into one; return it and the part of it that each has become."""
    flat = np.concatenate([array.ravel() for array in arrays.values()])
    ends = np.cumsum([array.size for array in arrays.values()])
    parts = np.split(flat, ends[:-1])
    return flat, {name: part.reshape(arrays[name].shape) for name, part in zip(arrays, parts, strict=True)}


def distance(one: Floats, other: Floats) -> Distance:
    """Compare two arrays of the same length; equal infinities and two NaNs are no distance, others an infinite one.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.migration.divergence import distance
    >>> distance(np.float32([1, 2, 3]), np.float32([1, 2.5, 1]))
    Distance(largest=2.0, median=0.5, element=2)
    """
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.subtract(one, other, dtype=np.float64))
    apart = np.where(same, 0, np.nan_to_num(apart, nan=np.inf, posinf=np.inf))
    furthest = int(apart.argmax())
    return Distance(float(apart[furthest]), float(np.median(apart)), furthest)


def distances(chosen: Settings, problem: Problem) -> Iterator[Distance]:
    """Run both rules; yield how far apart they are after each step."""
    pairs = runs(chosen, problem)
    next(pairs)
    for one, other in pairs:
        yield distance(one, other)


def first_beyond(apart: Sequence[Distance], tolerance: float) -> int | None:
    """Return the first step, counted from 1, whose largest distance is more than the tolerance.

    Examples
    --------
    >>> from numpy_adagrad.migration.divergence import Distance, first_beyond
    >>> first_beyond([Distance(0.1, 0, 0), Distance(0.3, 0, 0)], tolerance=0.2)
    2
    """
    return next((step for step, one in enumerate(apart, 1) if one.largest > tolerance), None)


def element_name(start: dict[str, Floats], element: int) -> str:
    """Name an element of the flat order.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.migration.divergence import element_name
    >>> element_name({"b": np.zeros(4, np.float32), "W": np.zeros((2, 3), np.float32)}, 9)
    'W[1, 2]'
    """
    for name, array in start.items():
        if element < array.size:
            index = ", ".join(map(str, np.unravel_index(element, array.shape)))
            return f"{name}[{index}]" if array.ndim else name
        element -= array.size
    raise IndexError("element: expected one of the parameters', got one beyond")
