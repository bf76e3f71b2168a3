"""The base of optimizers and tables that are divided among ranks: each rank has an optimizer for its own part."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..inputs.types import Group
from ..optimizers._base import Optimizer
from . import checkpoints
from .collective import CollectiveCall

if TYPE_CHECKING:
    from mpi4py import MPI


class Divided(ABC):
    """Base of `Sharded` and `ShardedTable`: this rank's optimizer, and its checkpoints."""

    _comm: MPI.Intracomm
    _number: int
    _local: Optimizer

    @abstractmethod
    def _divisions(self) -> list[checkpoints.Division]:
        """Return how each parameter is divided."""

    @abstractmethod
    def _collect(self) -> None:
        """Send this rank's part of the parameters to the others, if each rank has whole parameters."""

    @abstractmethod
    def _check_options(self, groups: Sequence[Group]) -> None:
        """Raise ValueError for an option of a group that a part of a parameter cannot have."""

    @property
    def param_groups(self) -> list[Group]:
        """The groups of this rank's optimizer: change an option on every rank and the next step uses it.

        Their `params` are this rank's parts of the parameters.
        """
        return self._local.param_groups

    @property
    def last_lr(self) -> list[float]:
        """The learning rate of each group: its number, or the last value of its callable."""
        return self._local.last_lr

    @property
    def grad_norm(self) -> float | None:
        """The norm of all gradients of the last step; None if that step did not compute it."""
        return self._local.grad_norm

    @property
    def steps(self) -> int:
        """The number of steps taken; where each parameter has its own, the largest."""
        return self._local.steps

    @property
    def skipped_steps(self) -> int:
        """The number of steps that ``on_nonfinite="skip"`` has skipped."""
        return self._local.skipped_steps

    def save(self, path: str | os.PathLike[str], *, extra: Mapping[str, Any] | None = None) -> None:
        """Save parameters, state and options to one file, in the format of the optimizer's own ``save``.

        Rank 0 gathers everything and writes the file. It loads on any number of ranks, and without MPI:
        ``optimizer_class(params).load(path, parameters=True)``.

        Parameters
        ----------
        path : str or os.PathLike
        extra : dict, optional
            As for the optimizer's ``save``; that of rank 0 is saved.

        Raises
        ------
        OSError, TypeError, ValueError
            On every rank, as the optimizer's ``save`` does.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from mpi4py import MPI
        >>> from numpy_adagrad import TorchAdagrad
        >>> from numpy_adagrad.mpi import Sharded
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = os.path.join(folder.name, "run.safetensors")
        >>> opt = Sharded(TorchAdagrad, {"w": np.zeros(2)}, MPI.COMM_SELF, lr=0.5)
        >>> opt.step({"w": np.ones(2)})
        >>> opt.save(path)
        >>> w = np.zeros(2)
        >>> alone = TorchAdagrad({"w": w})
        >>> alone.load(path, parameters=True)
        >>> w
        array([-0.5, -0.5])
        >>> folder.cleanup()
        """
        with CollectiveCall(self._comm, self._number, "save") as call:
            checkpoints.save(self._local, call, self._divisions(), path, extra)

    def load(self, path: str | os.PathLike[str]) -> dict[str, Any] | None:
        """Load parameters, state and options from a file with parameters, of this class or of an optimizer.

        Rank 0 reads the file and sends each rank its part. Parameters are matched as by the optimizer's ``load``.

        Parameters
        ----------
        path : str or os.PathLike

        Returns
        -------
        dict or None
            The `extra` of `save`.

        Raises
        ------
        OSError, ValueError
            On every rank, as the optimizer's ``load`` does. Nothing has changed then.

        Examples
        --------
        See `save`.
        """
        with CollectiveCall(self._comm, self._number, "load") as call:
            extra = checkpoints.load(self._local, call, self._divisions(), path, self._check_options)
            self._collect()
        return extra


def check_class(optimizer_class: Any) -> None:
    """Raise TypeError for anything but a class of optimizers of this package, such as an optimizer itself."""
    if not (isinstance(optimizer_class, type) and issubclass(optimizer_class, Optimizer)):
        kind = optimizer_class if isinstance(optimizer_class, type) else type(optimizer_class)
        got = f"{'' if kind is optimizer_class else 'a '}{kind.__module__}.{kind.__qualname__}"
        raise TypeError(f"optimizer_class: expected a class of numpy_adagrad, such as TorchAdagrad, got {got}")
