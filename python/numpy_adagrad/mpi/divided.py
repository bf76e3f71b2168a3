"""The base of what is divided among ranks: each has an optimizer for its own part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..inputs.types import Group
from ..optimizers._base import Optimizer

if TYPE_CHECKING:
    from mpi4py import MPI


class Divided:
    """Base of `Sharded` and `ShardedTable`: the options and results of this rank's optimizer."""

    _comm: MPI.Intracomm
    _local: Optimizer

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
