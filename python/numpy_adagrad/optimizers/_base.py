"""The base of all optimizers: a step of any rule."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import _core
from ..inputs.containers import Grads, flat_grads
from ..inputs.hints import NoAttribute
from ..inputs.memmap import check_files
from ..inputs.nested import is_plain
from ..inputs.sparse import RowSparse
from ..inputs.types import Array, Group
from ..inputs.validation import norm_limit, number, positive_scale
from ._checkpoints import Checkpoints
from ._slots import Allocate
from ._text import long_text, short_text

ON_NONFINITE = ("propagate", "skip", "raise")
DONE, SKIPPED, STALE = _core.DONE, _core.SKIPPED, _core.STALE

PLAIN_FORMS = (list, tuple, dict, np.ndarray, RowSparse)
"""Forms of gradients that no code of others runs to read."""

StepOptions: TypeAlias = (
    tuple[()] | tuple[float, float | None, float, bool] | tuple[float, float | None, float, bool, float | None, bool]
)
"""The options of `_core.Plan.step` in their order, from grad_scale to skip_nonfinite or to only_norm, or none."""


class Optimizer(Checkpoints):
    """Base of all optimizers. docs/internals/adding-a-rule.md shows what the class of a rule defines."""

    _norm_divisor: float = 1.0
    _rule_options: dict[str, Any]  # the options that are the same for every group, and in none of them

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for key in getattr(cls, "_watched_keys", ()):
            if not hasattr(cls, key):
                option = NoAttribute(f"write to its groups: optimizer.param_groups[0][{key!r}] = ...")
                option.__set_name__(cls, key)
                setattr(cls, key, option)

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
        self._scheduled: dict[tuple[int, str], float] = {}  # the values of the step that is running
        super().__init__(groups, single_param=single_param, state_dtype=state_dtype, allocate=allocate)

    # Hyperparameters

    def _hyperparameters(self, index: int, steps: int) -> dict[str, Any]:
        """Return the rule's options for the parameters with this group index that have taken so many steps.

        The core looks for an option here by its name, and then in the group.
        """
        options = self._rule_options.copy()
        group = self._bound.groups[index]
        for key in self._scheduled_keys:
            value = group[key]  # once: another thread may change it
            if callable(value):
                value = self._scheduled[index, key] = number(value(steps), key)
            options[key] = value
        return options

    # The step

    def step(
        self,
        grads: Grads | None = None,
        *,
        closure: Callable[[], tuple[Any, Grads]] | None = None,
        grad_scale: float | Array | None = None,
        max_norm: float | None = None,
        on_nonfinite: str = "propagate",
    ) -> Any:
        """Update all parameters in place.

        All arrays are checked before the first byte is written: if an error is raised, nothing has changed.

        Parameters
        ----------
        grads : array, mapping or sequence of arrays
            The gradients in the form in which the parameters were given, flat over all groups. None skips a parameter.
            Arrays of other libraries are read where NumPy can read them. Gradients are only read. They may have any
            strides, and may be NumPy scalars where the parameter has shape (). A `RowSparse` updates selected rows of
            its parameter; sparse arrays of SciPy (csr, csc, coo) update only their stored entries.
        closure : callable, optional
            Called in place of `grads`; returns ``(loss, grads)``. Other threads may use the optimizer meanwhile.
        grad_scale : float, optional
            Divides each gradient `g` first: ``u = g / float32(grad_scale)``.
        max_norm : float, optional
            Clips next: with ``N = sqrt(sum(u**2))`` over all gradients, in double precision, `u` is multiplied by
            ``max_norm / (N + 1e-6)`` if that is below 1, as ``torch.nn.utils.clip_grad_norm_`` does. For
            `MindSporeAdagrad`, `N` is also divided by `loss_scale`.
        on_nonfinite : {'propagate', 'skip', 'raise'}
            If a gradient is not finite or `N` overflows: apply the rule as to any other gradient, skip the step (only
            `skipped_steps` changes), or raise FloatingPointError.

        Returns
        -------
        object
            The loss that `closure` returned, otherwise None.

        Raises
        ------
        TypeError, ValueError, KeyError
            For a gradient or option that does not fit; the message names it.
        FloatingPointError
            See `on_nonfinite`.
        IndexError
            For a row of a sparse gradient that its parameter does not have.
        RuntimeError
            If a closure, a schedule or a sparse gradient of this optimizer calls it, and for weight decay with a sparse
            gradient where torch raises it.

        Examples
        --------
        >>> import numpy as np
        >>> from numpy_adagrad import TorchAdagrad
        >>> w = np.zeros(2, np.float32)
        >>> opt = TorchAdagrad([w], lr=0.5)
        >>> opt.step([np.array([3, -4], np.float32)], max_norm=1.0)
        >>> w
        array([-0.5,  0.5], dtype=float32)
        >>> opt.grad_norm
        5.0
        """
        if closure is not None:
            if grads is not None:
                raise TypeError("step: expected either grads or closure")
            return self._step_with(closure, grad_scale, max_norm, on_nonfinite)
        with self._lock:
            if self._closures or self._scheduled:
                self._check_reentry()
                self._scheduled.clear()  # of a step that failed
            bound = self._bound
            if bound.files:
                check_files(bound.files)
            if self._check_shared is not None:
                self._check_shared()
            # Fast path: no options, the same arrays as in the last step, and gradients in their order.
            if (
                grad_scale is None
                and max_norm is None
                and on_nonfinite == "propagate"
                and bound.try_step(bound.groups, grads, self) == DONE
            ):
                if self._scheduled:
                    self._last_scheduled |= self._scheduled
                    self._scheduled = {}
                return None
            self._check_reentry()
            if grads is None:
                raise TypeError("step: expected either grads or closure")
            is_flat = _core.is_flat(grads)
            if type(grads) in PLAIN_FORMS and (is_flat or is_plain(grads)):
                if type(grads) is not list or not is_flat:
                    self._refresh_plan()  # gradients by name must match the names as they are now
                    grads = flat_grads(grads, self._bound.names, self._single_param)
                self._update(grads, on_nonfinite, self._step_options(grad_scale, max_norm, on_nonfinite))
                return None
        # Not a lambda: it would make `grads` a cell, which every step would pay for.
        return self._step_with(partial(_without_loss, grads), grad_scale, max_norm, on_nonfinite)

    def __call__(self, grads: Grads | None = None, **options: Any) -> Any:
        """Call `step`, also that of a subclass."""
        return self.step(grads, **options)

    def _step_with(
        self, closure: Callable[[], tuple[Any, Grads]], grad_scale: Any, max_norm: Any, on_nonfinite: str
    ) -> Any:
        """Read the gradients without the lock, as the closure may wait for a thread that needs it; then update."""
        with self._lock:
            self._check_reentry()
            check_files(self._bound.files)
            options = self._step_options(grad_scale, max_norm, on_nonfinite)
        thread = threading.get_ident()
        try:
            self._closures.add(thread)
            result = closure()
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                got = f"{len(result)} values" if isinstance(result, (tuple, list)) else type(result).__name__
                raise TypeError(f"closure: expected a function that returns (loss, grads), got {got} from it")
            loss, grads = result
            names = self.names
            flat = flat_grads(grads, names, self._single_param)
        finally:
            self._closures.discard(thread)
        with self._lock:
            self._check_reentry()
            self._check_tensors()
            self._scheduled.clear()
            self._refresh_plan()
            if self.names != names:
                raise RuntimeError("params: expected the same names throughout a step, got others from another thread")
            check_files(self._bound.files)
            self._update(flat, on_nonfinite, options)
        return loss

    def _step_options(self, grad_scale: Any, max_norm: Any, on_nonfinite: str) -> StepOptions:
        if grad_scale is None and max_norm is None and on_nonfinite == "propagate":
            return ()
        if on_nonfinite not in ON_NONFINITE:
            raise ValueError(f"on_nonfinite: expected one of {ON_NONFINITE}, got {on_nonfinite!r}")
        return (
            1.0 if grad_scale is None else positive_scale(grad_scale),
            None if max_norm is None else norm_limit(max_norm),
            self._norm_divisor,
            on_nonfinite != "propagate",
        )

    def _step_part(
        self,
        grads: Sequence[Any],
        total_norm: Callable[[float], float],
        grad_scale: Any,
        max_norm: Any,
        on_nonfinite: str,
    ) -> None:
        """Step with a part of all gradients, given as a flat sequence of arrays.

        Where the step needs a norm, `total_norm` returns the norm of all gradients, given that of the part.
        """
        with self._lock:
            self._check_reentry()
            self._scheduled.clear()
            check_files(self._bound.files)
            options = self._step_options(grad_scale, max_norm, on_nonfinite)
            if max_norm is not None or on_nonfinite != "propagate":
                self._plan_step(grads, (*options, None, True))
                options = (*options, total_norm(self._bound.plan.grad_norm or 0.0), False)
            self._update(grads, on_nonfinite, options)

    def _update(self, grads: Sequence[Any], on_nonfinite: str, options: StepOptions) -> None:
        outcome = self._plan_step(grads, options)
        if self._scheduled:
            if outcome == DONE:
                self._last_scheduled |= self._scheduled
            self._scheduled = {}
        if outcome == SKIPPED:
            if on_nonfinite == "raise":
                raise FloatingPointError(f"grads: expected finite values, got a norm of {self.grad_norm}")
            self._skipped_steps += 1

    def _plan_step(self, grads: Sequence[Any], options: StepOptions) -> int:
        bound = self._bound
        outcome = bound.plan.step(bound.groups, grads, self, *options)
        if outcome == STALE:
            self._scheduled.clear()
            self._rebind()
            bound = self._bound
            outcome = bound.plan.step(bound.groups, grads, self, *options)
            if outcome == STALE:
                raise RuntimeError("params: expected the same arrays throughout a step, got others from another thread")
        return outcome

    # Text

    def __repr__(self) -> str:
        return long_text(type(self).__name__, self.param_groups, self._fixed_options())

    def __str__(self) -> str:
        rate = next(iter(self._scheduled_keys), "lr")
        return short_text(type(self).__name__, self.param_groups, rate)

    # Results of the last step

    @property
    def grad_norm(self) -> float | None:
        """The norm `N` of the gradients of the last step; None if that step did not compute it."""
        with self._lock:
            return self._bound.plan.grad_norm

    @property
    def steps(self) -> int:
        """The number of steps taken; where each parameter has its own, the largest. Skipped steps do not count."""
        with self._lock:
            return int(max((counter.max() for counter in self._counters(self._current_slots())), default=0))

    @property
    def skipped_steps(self) -> int:
        """The number of steps that ``on_nonfinite="skip"`` has skipped."""
        return self._skipped_steps


def _without_loss(grads: Any) -> tuple[None, Any]:
    return None, grads
