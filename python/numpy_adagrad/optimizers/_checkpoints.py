"""Checkpoints, for any rule."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import _core
from ..inputs.types import Array, Group
from ..inputs.validation import cast_like, check_flag, step_count
from ._loaded_state import LoadedState
from ._slots import Pairs, Slot

if TYPE_CHECKING:
    from ..checkpoint import Content


class Checkpoints(LoadedState):
    """Base of `Updates`. The class of a rule may choose the options of a checkpoint."""

    _skipped_steps: int

    def _fixed_options(self) -> dict[str, Any]:
        """Return the options that a checkpoint must share with the optimizer that loads it."""
        return {}

    def _saved_options(self) -> list[Group]:
        """Return the options of each group that a checkpoint keeps."""
        kept = self._kept_keys
        return [{key: value for key, value in group.items() if key not in kept} for group in self._saved_groups()]

    def _restoring_pairs(
        self, states: list[dict[str, Array]], options: list[Group], shared: Mapping[str, Array]
    ) -> Pairs:
        """Check the content of a checkpoint, in the order of the parameters here; return all that loading it writes."""
        indices = iter(range(len(states)))
        groups = [
            {**saved, "params": [next(indices) for _ in group["params"]]}
            for saved, group in zip(options, self.param_groups, strict=True)
        ]
        return self._loading_pairs({**shared, "state": dict(enumerate(states)), "param_groups": groups})

    def _loading_ckpt_pairs(self, path: str, *, parameters: bool) -> Pairs:
        """Check a file in a framework's own checkpoint format; return all that loading it writes."""
        raise ValueError("expected a checkpoint of numpy-adagrad, got a file name of another format")

    def _saved_content(self, *, parameters: bool, extra: Any) -> Content:
        """Check and return the content that `save` writes."""
        self._prepare_transfer()
        self._check_groups(self.param_groups)
        self._step_counts(self._slots)
        options = self._saved_options()
        self._check_saved(options)
        return self._content(options, parameters=parameters, extra=extra)

    def _step_counts(self, slots: list[Slot]) -> list[float]:
        """Return the values of the step counters, checked."""
        labels = (self._counter if self._counter_dtype else f"{self._counter}[{i}]" for i in range(len(slots)))
        return [step_count(counter, label) for counter, label in zip(self._counters(slots), labels, strict=False)]

    def _content(self, options: list[Group], *, parameters: bool, extra: Any = None) -> Content:
        """Return the content of a checkpoint with these options of the groups."""
        from ..checkpoint import Content

        return Content(
            rule=self._rule,
            fixed=self._fixed_options(),
            names=self.names,
            sizes=[len(group["params"]) for group in self.param_groups],
            options=options,
            states=[slot.state for slot in self._slots],
            shared=self._shared_arrays(),
            parameters=[slot.param for slot in self._slots] if parameters else None,
            skipped_steps=self._skipped_steps,
            extra=extra,
        )

    def _restore(self, content: Content) -> Pairs:
        """Check the content of a file; return all that loading it writes."""
        pairs = self._restoring_pairs(content.states, content.options, content.shared)
        pairs.append((self.__dict__, {"_skipped_steps": content.skipped_steps}))
        if content.parameters is not None:
            for name, slot, value in zip(content.names, self._slots, content.parameters, strict=True):
                pairs.append((slot.param, cast_like(value, slot.param, f"param.{name}")))
        return pairs

    def save(
        self, path: str | os.PathLike[str], *, parameters: bool = False, extra: Mapping[str, Any] | None = None
    ) -> None:
        """Save state and options to a safetensors file, which is written atomically.

        The new file is made beside the old one and then replaces it, so that a failure leaves the old file as it was.
        The new file has the mode of the old one; a symbolic link stays, and its target is replaced. Only a file that is
        a mount point itself, which no system replaces, is overwritten in place. Steps in other threads wait meanwhile.
        A closure, a schedule or a signal handler may save too: the file has the state before the step. Requires
        ``pip install "numpy-adagrad[checkpoint]"``; the file holds no pickle.

        Parameters
        ----------
        path : str or os.PathLike
            Any name that does not end in ``.ckpt``, in upper or lower case.
        parameters : bool, default False
            Also save the parameters.
        extra : dict, optional
            Anything else that JSON can hold, such as the epoch and the state of a random generator, with keys of type
            str; `load` returns it.

        Raises
        ------
        OSError
            If the file cannot be written, including where a read-only file is already there.
        TypeError, ValueError
            For a name, an option or an `extra` that the file cannot hold, for a step counter that is not a whole number
            of at least 0, or for a path that is a FIFO, a socket or a device.

        Notes
        -----
        An option must be an array or a value that JSON can hold: tuples become lists, and keys must be of type str.
        For a callable rate or decay, the file holds the value last used.

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

        check_flag("parameters", parameters)
        with self._lock:
            content = self._saved_content(parameters=parameters, extra=extra)
            checkpoint.save(checkpoint.file_name(path), content)

    def load(self, path: str | os.PathLike[str], *, parameters: bool = False) -> dict[str, Any] | None:
        """Load state and options from a file that `save` wrote for the same rule.

        Parameters are matched by name if the file and this optimizer have the same set of names, in any order. Each
        group then takes the options of the group with the same names. If one side has no names, parameters are
        matched by their flat index, and the groups must have the same sizes. Other names raise an error.

        The names of `MindSporeAdagrad` ``param0``, ``param1``, ... are matched by name to each other, and by flat index
        to other names. All shapes must be equal. Accumulators and parameters are cast to the dtype that they have
        here; a value beyond it becomes infinite.

        `MindSporeAdagrad` also loads the ``.ckpt`` files of ``mindspore.save_checkpoint(optimizer, ...)``, for which
        it needs MindSpore.

        Parameters
        ----------
        path : str or os.PathLike
        parameters : bool, default False
            Also load the parameters. Otherwise they keep their values, even if the file has others.

        Returns
        -------
        dict or None
            The `extra` of `save`, in which tuples have become lists. None if there is none.

        Raises
        ------
        FileNotFoundError
            If there is no such file; another OSError if it cannot be read.
        ValueError
            ``<path>: expected ..., got ...`` if the file is damaged, or if its rule, names, shapes, dtypes,
            `update_slots` or `loss_scale` do not fit this optimizer. Nothing has changed then.
        ImportError
            Without safetensors, or without ml_dtypes or mindspore if the file needs them.
        RuntimeError
            If a closure or schedule of this optimizer makes the call.

        Notes
        -----
        Loading needs up to twice as much memory as the file has bytes. Callable rates and decays stay in place.

        Examples
        --------
        See `save`.
        """
        from .. import checkpoint

        check_flag("parameters", parameters)
        with self._lock:
            self._check_reentry()
            self._prepare_transfer()
            path = checkpoint.file_name(path)
            with checkpoint.naming(path):
                extra = None
                if checkpoint.is_ckpt(path):
                    pairs = self._loading_ckpt_pairs(path, parameters=parameters)
                else:
                    content = checkpoint.load(path, self._content([], parameters=parameters))
                    pairs, extra = self._restore(content), content.extra
            _core.commit(pairs)
            return extra
