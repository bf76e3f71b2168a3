"""What both optimizers do: a step, and checkpoints."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import _core
from ..inputs.containers import flat_grads
from ..inputs.memmap import check_files
from ..inputs.tensors import run_together
from ..inputs.types import Array, Grads, Group, Hyper
from ..inputs.validation import norm_limit, positive_scale
from ._state import Keeper

ON_NONFINITE = ("propagate", "skip", "raise")
DONE, SKIPPED, STALE = _core.DONE, _core.SKIPPED, _core.STALE


class Optimizer(Keeper):
    """Base of `TorchAdagrad` and `MindSporeAdagrad`.

    A rule's class says what the groups ask of one step. All that a step writes is written by one call into the core,
    after all checks.
    """

    _norm_divisor: float = 1.0

    @abstractmethod
    def _hypers(self, grads: Sequence[Any]) -> tuple[list[Hyper], Array, dict[tuple[int, str], float]]:
        """Return what is asked of a step, for each parameter the index of what it takes of that, and the values
        that schedules gave, by group and option.
        """

    @abstractmethod
    def _saved_options(self) -> list[Group]:
        """Return what a checkpoint keeps of each group beside its parameters; for a callable the value last used."""

    @abstractmethod
    def _restoring(
        self, states: list[dict[str, Array]], options: list[Group], shared: Mapping[str, Array]
    ) -> list[Callable[[], None]]:
        """Check what a checkpoint kept, in the order here; return what fills everything but the parameters."""

    def _saved_value(self, k: int, option: str, now: Callable[[], float]) -> Any:
        """Return an option of a group; for a callable the value last used, or `now` if there was none."""
        value = self.param_groups[k][option]
        if not callable(value):
            return value
        return self._last_used[k, option] if (k, option) in self._last_used else now()

    def _loading_ckpt(self, path: str, *, parameters: bool) -> list[Callable[[], None]]:
        """Check a file of MindSpore's; return what fills everything from it."""
        raise ValueError("expected a checkpoint of numpy-adagrad, got a name of MindSpore's own format")

    def _shared(self) -> dict[str, Array]:
        """Return the arrays of a checkpoint that belong to no parameter."""
        return {}

    def _fixed(self) -> dict[str, Any]:
        """Return the options that a checkpoint must share with the optimizer that loads it."""
        return {}

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

        Every array is checked before the first byte is written: a refused step changes nothing.

        Parameters
        ----------
        grads : array, mapping or sequence of arrays
            The gradients in the form in which the parameters were given, flat over all groups; None for a
            parameter without one, which is then left alone. They are only read, may have any strides and may
            be NumPy scalars where the parameter is 0-dimensional. A `RowSparse` moves some rows of its parameter,
            a sparse array of SciPy (csr, csc, coo) the elements that it stores.
        closure : callable, optional
            Called in place of `grads`; returns ``(loss, grads)``.
        grad_scale : float, optional
            Divides each gradient `g` first: ``u = g / float32(grad_scale)``.
        max_norm : float, optional
            Then clips: with ``N = sqrt(sum(u**2))`` over all gradients, in double precision, `u` is multiplied by
            ``max_norm / (N + 1e-6)`` where that is below 1, as ``torch.nn.utils.clip_grad_norm_`` does. For
            `MindSporeAdagrad`, `N` is also divided by `loss_scale`.
        on_nonfinite : {'propagate', 'skip', 'raise'}
            What a gradient that is not finite, or an `N` that overflows, does: go through the rule like any
            other, skip the step (only `skipped_steps` changes), or raise FloatingPointError.

        Returns
        -------
        object
            The loss that `closure` returned, else None.

        Raises
        ------
        TypeError, ValueError, KeyError
            A gradient or option that does not fit; the message names it.
        FloatingPointError
            See `on_nonfinite`.
        IndexError
            For a row of a sparse gradient that its parameter does not have.
        RuntimeError
            Called from inside a closure or schedule of this optimizer; weight decay with a sparse gradient, where
            torch refuses it.

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
        with self._lock:
            if self._files:
                check_files(self._files)
            plain = closure is None and grad_scale is None and max_norm is None and on_nonfinite == "propagate"
            # Nearly every step finds nothing new but the gradients' values.
            if plain and not self._busy and self._plan.repeat(self.param_groups, grads):
                return None
            if (grads is None) == (closure is None):
                raise TypeError("step: expected either grads or closure")
            if on_nonfinite not in ON_NONFINITE:
                raise ValueError(f"on_nonfinite: expected one of {ON_NONFINITE}, got {on_nonfinite!r}")
            options = _core.Options(
                1.0 if grad_scale is None else positive_scale(grad_scale),
                None if max_norm is None else norm_limit(max_norm),
                self._norm_divisor,
                on_nonfinite != "propagate",
            )
            self._refuse_reentry()
            try:
                self._busy = True
                loss = None
                if closure is not None:
                    loss, grads = closure()
                outcome = self._advance(grads, options)
            finally:
                self._busy = False
            if outcome == SKIPPED and on_nonfinite == "raise":
                raise FloatingPointError(f"grads: expected finite values, got a norm of {self.grad_norm}")
            self._skipped_steps += outcome == SKIPPED
        return loss

    __call__ = step

    def _advance(self, grads: Any, options: _core.Options) -> int:
        # Gradients by name must find the parameters as they are now.
        if type(grads) is not list or (grads and type(grads[0]) is tuple):
            self._settle()
        flat = flat_grads(grads, self.names, self._bare)
        outcome = self._plan.step(self.param_groups, flat, None, options)
        attempts = 2
        while outcome == STALE and attempts > 0:
            self._settle()
            hypers, which, used = self._hypers(flat)
            outcome = self._plan.step(self.param_groups, flat, (hypers, which), options)
            if outcome == DONE:
                self._last_used.update(used)
            attempts -= 1
        if outcome == STALE:
            raise RuntimeError("params: expected the same arrays throughout a step, got others from another thread")
        return outcome

    # Checkpoints

    def save(self, path: str | os.PathLike[str], *, parameters: bool = False) -> None:
        """Save state and options in a safetensors file, which is there as a whole or not at all.

        The file is made beside `path` and moved over it, so that a failure leaves what was there. It needs
        ``pip install "numpy-adagrad[checkpoint]"`` and holds no pickle. Steps in other threads wait meanwhile.

        Parameters
        ----------
        path : str or os.PathLike
            Any name that does not end in ``.ckpt``.
        parameters : bool, default False
            Also save the parameters.

        Raises
        ------
        OSError
            If the file cannot be written.
        TypeError, ValueError
            For a name or option that such a file cannot hold: options are arrays or what JSON holds (tuples become
            lists, keys text), a callable rate or decay is the value last used. For a counter that counts no steps.
        RuntimeError
            Called from inside a closure or schedule of this optimizer.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from numpy_adagrad import TorchAdagrad
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = os.path.join(folder.name, "run.safetensors")
        >>> opt = TorchAdagrad({"w": np.zeros(2), "b": np.zeros(3)}, lr=0.5)
        >>> opt.step({"w": np.ones(2), "b": np.ones(3)})
        >>> opt.save(path, parameters=True)
        >>> b, w = np.zeros(3), np.zeros(2)
        >>> resumed = TorchAdagrad({"b": b, "w": w})
        >>> resumed.load(path, parameters=True)
        >>> w, resumed.param_groups[0]["lr"]
        (array([-0.5, -0.5]), 0.5)
        >>> folder.cleanup()
        """
        from .. import checkpoint

        with self._lock:
            self._make_ready()
            checkpoint.save(self, path, parameters=parameters)

    def load(self, path: str | os.PathLike[str], *, parameters: bool = False) -> None:
        """Take state and options from a file that `save` wrote for the same rule, as `load_state_dict` does.

        With `N` the set of names here and `F` that of the file, a parameter takes the arrays

        - of its own name, where ``N == F``, in any order. Each group takes the options of the group there that holds
          the same names;
        - of its place in flat order, where `N` or `F` is empty. The groups must be as many and as large.

        All else is refused, and every shape must be equal. Accumulators and parameters of another dtype are cast to
        the one here. MindSpore's automatic names ``param0``, ``param1``, ... stand for places: among themselves they
        are names, beside other names they count as none.

        `MindSporeAdagrad` also loads ``.ckpt`` files of ``mindspore.save_checkpoint(optimizer, ...)``, by MindSpore
        itself.

        Parameters
        ----------
        path : str or os.PathLike
        parameters : bool, default False
            Also load the parameters; otherwise they are left alone, whether they are there or not.

        Raises
        ------
        FileNotFoundError
            If there is no such file; another OSError if it cannot be read.
        ValueError
            ``<path>: expected ..., got ...`` for whatever else is wrong with the file or does not fit: damage, of which
            a digest tells; a rule, names, shapes, dtypes, `update_slots` or `loss_scale` other than those here.
            Nothing has changed then.
        ImportError
            Without safetensors, or what else the file needs: ml_dtypes, mindspore.
        RuntimeError
            Called from inside a closure or schedule of this optimizer.

        Notes
        -----
        It takes up to twice the file in memory. Callable rates and decays stay in place.

        Examples
        --------
        See `save`.
        """
        from .. import checkpoint

        with self._lock:
            self._make_ready()
            run_together(checkpoint.load(self, path, parameters=parameters))

    # What it tells

    @property
    def grad_norm(self) -> float | None:
        """The norm `N` of the last step's gradients; None if that step took none."""
        return self._plan.grad_norm

    @property
    def skipped_steps(self) -> int:
        """How many steps ``on_nonfinite="skip"`` has skipped."""
        return self._skipped_steps
