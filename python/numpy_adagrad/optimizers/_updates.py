"""An update with gradients that have been read: the options, the plan, the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy.typing as npt

from .. import _core
from ..inputs.memmap import check_files
from ..inputs.types import Group
from ..inputs.validation import is_schedule, norm_limit, number, positive_scale
from ._checkpoints import Checkpoints
from ._slots import Allocate, Place, place_of

PROPAGATE = "propagate"
ON_NONFINITE = (PROPAGATE, "skip", "raise")
DONE, SKIPPED, STALE = _core.DONE, _core.SKIPPED, _core.STALE
CHANGED_PARAMS = "params: expected the same arrays throughout a step, got others from another thread"

StepOptions: TypeAlias = (
    tuple[()]
    | tuple[float]
    | tuple[float, float | None, float, bool]
    | tuple[float, float | None, float, bool, float | None]
    | tuple[float, float | None, float, bool, float | None, bool]
)
"""The options of `_core.Plan.step` in their order: all, or those up to grad_scale, skip_nonfinite or total_norm."""


def value_after(k: int, place: Place, schedule: Callable[[int], Any], label: str) -> Callable[[Any, int], float]:
    """Return a schedule as the core calls it. It does not refer to the optimizer, whose plan keeps it."""
    return lambda optimizer, steps: optimizer._scheduled_value(k, place, schedule, label, steps)


class Updates(Checkpoints):
    """Base of `Optimizer`: an update with gradients that have been read."""

    _norm_divisor: float = 1.0
    _rule_options: dict[str, Any]  # the options that are the same for every group, and in none of them

    def __init__(
        self,
        groups: list[Group],
        *,
        single_param: bool,
        state_dtype: npt.DTypeLike | None,
        allocate: Allocate | None,
    ) -> None:
        self._skipped_steps = 0
        self._rule_options = {}
        self._last_scheduled = {}
        self._scheduled = {}
        self._checked_values = None
        super().__init__(groups, single_param=single_param, state_dtype=state_dtype, allocate=allocate)

    def _hyperparameters(self, index: int) -> dict[str, Any]:
        """Return the rule's options for the parameters with this group index.

        The core looks for an option here by its name, and then in the group. It calls a callable with the optimizer and
        the number of steps. What this returns is kept until an option of a group is another object.
        """
        options = self._rule_options.copy()
        group = self._bound.groups[index]
        self._check_entries(index, group)
        for key in self._scheduled_keys:
            value = group[key]  # once: another thread may change it
            is_fixed = not is_schedule(value, key)
            label, place = f"param_groups[{index}][{key!r}]", place_of(index, group, key)
            options[key] = number(value, label) if is_fixed else value_after(index, place, value, key)
        return options

    def _scheduled_value(self, k: int, place: Place, schedule: Callable[[int], Any], label: str, steps: int) -> float:
        """Return the value of a schedule. In `_calling_schedules_once`, it is called once for each number of steps."""
        known = self._checked_values
        if known is None:
            value = number(schedule(steps), label)
        else:
            call = k, place[1], steps
            if call not in known:
                known[call] = number(schedule(steps), label)
            value = known[call]
        self._scheduled[place] = schedule, value
        return value

    @contextmanager
    def _calling_schedules_once(self) -> Iterator[None]:
        """In this block, a step after `_check_step` uses the values of the schedules that were called there."""
        self._checked_values = {}
        try:
            yield
        finally:
            self._checked_values = None

    def _step_options(
        self, grad_scale: Any, max_norm: Any, on_nonfinite: str
    ) -> tuple[float, float | None, float, bool]:
        if not (isinstance(on_nonfinite, str) and on_nonfinite in ON_NONFINITE):
            raise ValueError(f"on_nonfinite: expected one of {ON_NONFINITE}, got {on_nonfinite!r:.60}")
        return (
            1.0 if grad_scale is None else positive_scale(grad_scale),
            None if max_norm is None else norm_limit(max_norm),
            self._norm_divisor,
            on_nonfinite != PROPAGATE,
        )

    def _check_step(self, grads: Sequence[Any], grad_scale: Any, max_norm: Any, on_nonfinite: str) -> None:
        """Raise the errors of a step with such gradients, whose values may not be known yet, and call its schedules."""
        with self._lock:
            self._check_reentry()
            self._check_tensors()
            self._refresh_plan()
            check_files(self._bound.files)
            self._plan_step(grads, self._step_options(grad_scale, max_norm, on_nonfinite), "check_step")

    def _step_part(
        self,
        grads: Sequence[Any],
        total_norm: Callable[[float], float],
        grad_scale: Any,
        max_norm: Any,
        on_nonfinite: str,
    ) -> None:
        """Step with a part of all gradients, given as a flat sequence of arrays or sparse gradients.

        Where the step needs a norm, `total_norm` returns the norm of all gradients, given that of the part.
        """
        with self._lock:
            self._check_reentry()
            check_files(self._bound.files)
            options = self._step_options(grad_scale, max_norm, on_nonfinite)
            if max_norm is None and on_nonfinite == PROPAGATE:
                return self._update(grads, on_nonfinite, options)
            self._plan_step(grads, (*options, None, True))
            self._update(grads, on_nonfinite, (*options, total_norm(self._bound.plan.grad_norm or 0.0)))

    def _step_by_ranges(
        self, grads: Sequence[Any], ranges: Iterable[tuple[int, int]], grad_scale: Any
    ) -> Iterator[int]:
        """Take the step that `_check_step` has checked, range by range, while the dense gradients arrive.

        `ranges` yields (index, number of real elements) once the gradients of a range are there; ranges lie end
        to end. Each index is yielded once the parameters of its range are updated. An error in between leaves the
        step half done.
        """
        scale = 1.0 if grad_scale is None else positive_scale(grad_scale)
        bound, begin, is_first = self._bound, 0, True

        def update(end: int, *, is_last: bool) -> None:
            nonlocal is_first
            with self._lock:
                check_files(bound.files)
                if bound.plan.step_range(bound.groups, grads, self, scale, begin, end, is_first, is_last) == STALE:
                    raise RuntimeError(CHANGED_PARAMS)
            is_first = False

        for index, count in ranges:
            update(begin + count, is_last=False)
            begin += count
            yield index
        update(begin, is_last=True)

    def _update(self, grads: Sequence[Any], on_nonfinite: str, options: StepOptions) -> None:
        if self._plan_step(grads, options) == SKIPPED:
            if on_nonfinite == "raise":
                raise FloatingPointError(f"grads: expected finite values, got a norm of {self.grad_norm}")
            self._skipped_steps += 1

    def _plan_step(self, grads: Sequence[Any], options: StepOptions, method: str = "step") -> int:
        bound = self._bound
        outcome: int = getattr(bound.plan, method)(bound.groups, grads, self, options)
        if outcome == STALE:
            self._rebind()
            bound = self._bound
            outcome = getattr(bound.plan, method)(bound.groups, grads, self, options)
            if outcome == STALE:
                raise RuntimeError(CHANGED_PARAMS)
        return outcome

    @property
    def grad_norm(self) -> float | None:
        """The norm `N` of the gradients of the last step, also a skipped one; None if not computed, and in a copy."""
        with self._lock:
            return self._bound.plan.grad_norm

    @property
    def skipped_steps(self) -> int:
        """The number of steps that ``on_nonfinite="skip"`` has skipped."""
        return self._skipped_steps
