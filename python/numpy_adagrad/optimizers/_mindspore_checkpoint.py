"""State dicts and checkpoints in the layout of ``mindspore.nn.Adagrad``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _core
from ..inputs.types import Array, Group
from ..inputs.validation import cast_like, check_flag, number, step_count
from ._base import Optimizer
from ._mindspore_arguments import ACCUM, read_centralization, read_decay, read_options, read_rate
from ._mindspore_entries import check_shared_rates, from_checkpoint, rate_array, read_ckpt, to_checkpoint
from ._slots import Pairs, Place, place_of

OPTIONS = ("lr", "weight_decay", "grad_centralization")


class MindSporeCheckpoints(Optimizer):
    """Base of `MindSporeAdagrad`: its fixed options, and the layout of its checkpoints."""

    _update_slots: bool
    _accum: float

    @property
    def accum(self) -> float:
        """The initial value of the accumulators; fixed at construction."""
        return self._accum

    @property
    def update_slots(self) -> bool:
        """Whether steps update the accumulators; fixed at construction."""
        return self._update_slots

    @property
    def loss_scale(self) -> float:
        """The factor by which the gradients were multiplied; fixed at construction."""
        return self._norm_divisor

    @property
    def global_step(self) -> Array:
        """The number of steps taken (int32, shape (1,)); assigning to it fills this same array."""
        return self._steps

    @global_step.setter
    def global_step(self, value: Any) -> None:
        self._steps[...] = step_count(value, "global_step", self._steps.dtype)

    def state_dict(self, *, parameters: bool = False) -> dict[str, Array]:  # type: ignore[override]
        """Return state and rates under the names that ``mindspore.save_checkpoint(optimizer)`` uses.

        Parameters
        ----------
        parameters : bool, default False
            Also return the parameters, under their own names. ``mindspore.save_checkpoint`` writes the dict to a file
            for ``mindspore.load_checkpoint`` and ``load_param_into_net``, which needs the parameters: version 2.10.0
            loads ``accum.w`` into a parameter ``w`` that is missing.

        Returns
        -------
        dict
            ``global_step`` (int32, shape (1,)), ``learning_rate`` or ``learning_rate_group_<k>`` (float32; absent
            for a callable), and ``accum.<name>`` for each parameter. Counter, parameters and accumulators are
            the arrays that the next step changes.

        Raises
        ------
        ValueError
            If groups without their own ``lr``, which share ``learning_rate``, have different rates by now.

        Examples
        --------
        >>> import numpy as np
        >>> from numpy_adagrad import MindSporeAdagrad
        >>> sorted(MindSporeAdagrad({"w": np.zeros(2, np.float32)}).state_dict())
        ['accum.w', 'global_step', 'learning_rate']
        """
        check_flag("parameters", parameters)
        with self._lock:
            targets = self._targets(parameters=parameters)
            check_shared_rates((group["lr_name"], k, group["lr"]) for k, group in enumerate(self.param_groups))
            return targets

    def load_state_dict(self, state_dict: Mapping[str, Any], *, parameters: bool = False) -> None:
        """Load state and rates from a state dict of this class, or from the result of ``mindspore.load_checkpoint``.

        Parameters are matched by name; automatic names, ``param0``, ``param1``, ..., are matched by position to others.

        Parameters
        ----------
        state_dict : mapping
            As `state_dict` returns it. Arrays, tensors and parameters of MindSpore are copied.
        parameters : bool, default False
            Also load the parameters; otherwise they stay as they are, even if the state dict has them.

        Raises
        ------
        KeyError, ValueError, TypeError
            For an entry that is missing, unknown or does not fit; nothing has changed then.
        """
        check_flag("parameters", parameters)
        with self._lock:
            self._check_reentry()
            self._prepare_transfer()
            _core.commit(self._checkpoint_pairs(state_dict, parameters=parameters))

    def _targets(self, *, parameters: bool = False) -> dict[str, Array]:
        """Return the arrays that loading writes to; groups with one name for their rates may have different rates."""
        self._check_tensors()
        self._refresh_plan()
        self._check_groups(self.param_groups)
        return to_checkpoint(self.names, self._slots, self.param_groups, self.global_step, parameters=parameters)

    def _checkpoint_pairs(self, state_dict: Mapping[str, Any], *, parameters: bool) -> Pairs:
        """Check a state dict; return all that loading it writes."""
        targets = self._targets(parameters=parameters)
        values, groups = from_checkpoint(state_dict, targets, self.names, self.param_groups)
        return self._loading(groups, {}, [(targets[key], value) for key, value in values.items()])

    def _loading(self, groups: list[Group], last: dict[Place, tuple[Any, float]], arrays: Pairs) -> Pairs:
        return [(self.__dict__, {"_bound": replace(self._bound, groups=groups), "_last_scheduled": last}), *arrays]

    def _loading_ckpt_pairs(self, path: str, *, parameters: bool) -> Pairs:
        return self._checkpoint_pairs(read_ckpt(path), parameters=parameters)

    def _fixed_options(self) -> dict[str, Any]:
        return {"update_slots": self.update_slots, "loss_scale": self.loss_scale}

    def _saved_options(self) -> list[Group]:
        return [self._saved_group(k, group) for k, group in enumerate(list(self.param_groups))]

    def _saved_group(self, k: int, group: Group) -> Group:
        rate, decay = read_rate(group["lr"]), read_decay(group["weight_decay"])
        if callable(rate):
            rate = self._saved_value(k, "lr")
        if callable(decay):
            decay = self._saved_value(k, "weight_decay")
        centralize = read_centralization(group["grad_centralization"])
        return {"lr": rate, "weight_decay": decay, "grad_centralization": centralize}

    def _restoring_pairs(
        self, states: list[dict[str, Array]], options: list[Group], shared: Mapping[str, Array]
    ) -> Pairs:
        targets = self._targets()
        accums = {f"{ACCUM}{name}": state["accum"] for name, state in zip(self.names, states, strict=True)}
        # Groups that share a name for their rates may have different rates here, so the rates come from the groups.
        values, _ = from_checkpoint({**targets, **shared, **accums}, targets, self.names, self.param_groups)
        groups = [self._restored_group(*pair) for pair in zip(self.param_groups, options, strict=True)]
        last = {
            place_of(k, groups[k], key): (groups[k][key], number(saved[key], key))
            for k, saved in enumerate(options)
            for key in self._scheduled_keys
            if not isinstance(saved[key], np.ndarray)
        }
        return self._loading(groups, last, [(targets[key], value) for key, value in values.items()])

    def _restored_group(self, group: Group, saved: Group) -> Group:
        for key in OPTIONS:
            if key not in saved:
                raise KeyError(f"groups: expected an entry {key!r}")
        now = {key: group[key] for key in self._scheduled_keys}
        kept = {key: value for key, value in now.items() if callable(value)}
        if "lr" not in kept:  # a number for a number, a sequence for a sequence of the same length
            cast_like(np.asarray(saved["lr"]), rate_array(now["lr"]), group["lr_name"])
        return read_options({**group, **{key: saved[key] for key in OPTIONS}, **kept})
