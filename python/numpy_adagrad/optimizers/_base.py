"""The base of all optimizers: a step of any rule.

Each class is the base of the next:

- `_lock.Locked`: one call at a time
- `_state.OptimizerState`: groups, accumulators, the plan of a step
- `_copies.Copies`: copy.deepcopy and pickle
- `_saved_state.SavedState`: state dicts, the last rates
- `_loaded_state.LoadedState`: loading of state dicts
- `_checkpoints.Checkpoints`: checkpoints
- `_updates.Updates`: an update with gradients that have been read
- `_base.Optimizer`: `step`, which reads gradients in all their forms
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import signature
from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..inputs.gradients import Grads, flat_grads
from ..inputs.hints import NoAttribute, nearest
from ..inputs.memmap import check_files
from ..inputs.nested import is_plain
from ..inputs.row_sparse import RowSparse
from ..inputs.types import Number
from ..inputs.validation import check_callable
from ._text import long_text, short_text
from ._updates import DONE, PROPAGATE, StepOptions, Updates

STEP_OPTION = "give it to each step"
PLAIN_FORMS = (list, tuple, dict, np.ndarray, RowSparse)
"""Containers of gradients that can be read without running a user's code."""


class Optimizer(Updates):
    """Base of all optimizers. docs/internals/adding-a-rule.md shows what the class of a rule defines."""

    _foreign_names: ClassVar[Mapping[str, str]] = {}  # other frameworks' names of arguments, and what to do instead

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "_rule" not in vars(cls):  # a user's own class may have attributes of these names
            return
        cures = {"zero_grad": "no call is needed: gradients are given to each step, and not kept", **cls._foreign_names}
        cures |= dict.fromkeys(_keywords(cls.step), STEP_OPTION)
        cures |= dict.fromkeys(_keywords(cls.__init__), "give it to the constructor")
        groups = "write to its groups: optimizer.param_groups[0]"
        cures |= {key: f"{groups}[{key!r}] = ..." for key in cls._watched_keys}
        for key, cure in cures.items():
            if not hasattr(cls, key):
                option = NoAttribute(cure, of_subclasses=key in cls._watched_keys)
                option.__set_name__(cls, key)
                setattr(cls, key, option)

    @classmethod
    def _argument_hint(cls, name: str, known: Iterable[str]) -> str:
        """Return the end of a message about an argument that is none of those known."""
        hints = {**dict.fromkeys(_keywords(Optimizer.step), STEP_OPTION), **cls._foreign_names}
        return f"; {hints[name]}" if name in hints else nearest(name, known)

    def _check_unknown(self, unknown: Mapping[str, Any]) -> None:
        """Raise TypeError for an argument that the rule's constructor does not have."""
        if unknown:
            name = next(iter(unknown))
            rule = next(one for one in type(self).__mro__ if "_rule" in vars(one))
            hint = self._argument_hint(name, [*signature(rule).parameters][:-1])
            raise TypeError(f"{rule.__name__} got an unexpected argument {name!r}{hint}")

    # The step

    def step(
        self,
        grads: Grads | None = None,
        *,
        closure: Callable[[], tuple[Any, Grads]] | None = None,
        grad_scale: Number | None = None,
        max_norm: Number | None = None,
        on_nonfinite: str = PROPAGATE,
    ) -> Any:
        """Update all parameters in place.

        All arrays are checked before the first byte is written: if an error is raised, nothing has changed except
        `grad_norm`, which may be that of the failed step.

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
        OverflowError
            If the counter of steps has reached its largest number.
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
        options: StepOptions = ()
        if grad_scale is not None or max_norm is not None or on_nonfinite is not PROPAGATE:
            options = self._step_options(grad_scale, max_norm, on_nonfinite)
        if closure is not None:
            if grads is not None:
                raise TypeError("step: expected either grads or closure, got both")
            return self._step_with(closure, on_nonfinite, options)
        with self._lock:
            if self._closures:
                self._check_reentry()
            bound = self._bound
            if bound.files:
                check_files(bound.files)
            if self._check_shared is not None:
                self._check_shared()
            # Fast path: the same arrays as in the last step, and gradients in their order or by name.
            if on_nonfinite is PROPAGATE and bound.plan.try_step(bound.groups, grads, self, options) == DONE:
                return None
            self._check_reentry()
            if grads is None:
                raise TypeError("step: expected either grads or closure, got neither")
            is_flat = _core.is_flat(grads)
            if type(grads) in PLAIN_FORMS and (is_flat or is_plain(grads)):
                if type(grads) is not list or not is_flat or len(grads) != len(self._bound.slots):
                    self._refresh_plan()  # gradients by name must match the names as they are now
                    grads = flat_grads(grads, self._bound.names, self._single_param)
                self._update(grads, on_nonfinite, options)
                return None
        # Not a lambda: it would make `grads` a cell, which every step would pay for.
        return self._step_with(partial(_without_loss, grads), on_nonfinite, options)

    def __call__(self, grads: Grads | None = None, **options: Any) -> Any:
        """Call `step`, also that of a subclass."""
        return self.step(grads, **options)

    def _step_with(self, closure: Callable[[], tuple[Any, Grads]], on_nonfinite: str, options: StepOptions) -> Any:
        """Read the gradients without the lock, as the closure may wait for a thread that needs it; then update."""
        check_callable("closure", closure)
        with self._lock:
            self._check_reentry()
            check_files(self._bound.files)
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
            self._refresh_plan()
            if self.names != names:
                raise RuntimeError("params: expected the same names throughout a step, got others from another thread")
            check_files(self._bound.files)
            self._update(flat, on_nonfinite, options)
        return loss

    # Text

    def __repr__(self) -> str:
        return long_text(type(self).__name__, self.param_groups, self._fixed_options())

    def __str__(self) -> str:
        rate = next(iter(self._scheduled_keys), "lr")
        return short_text(type(self).__name__, self.param_groups, rate)

    # Results of the last step

    @property
    def steps(self) -> int:
        """The number of steps taken; where each parameter has its own, the largest. Skipped steps do not count.

        Raises
        ------
        ValueError
            For a counter into which anything other than a whole number of steps was written.
        """
        with self._lock:
            return int(max(self._step_counts(self._current_slots()), default=0))


def _keywords(function: Callable[..., Any]) -> list[str]:
    """Return the names of a method's arguments."""
    return [name for name, one in signature(function).parameters.items() if one.kind != one.VAR_KEYWORD][1:]


def _without_loss(grads: Any) -> tuple[None, Any]:
    return None, grads
