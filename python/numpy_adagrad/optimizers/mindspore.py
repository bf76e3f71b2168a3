"""The rule of ``mindspore.nn.Adagrad``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ..inputs.containers import read_group, read_once
from ..inputs.hints import NoAttribute, nearest
from ..inputs.rounding import ieee
from ..inputs.types import Array, Group, Number, Params, Rate
from ..inputs.validation import check_dict, number
from ._mindspore_arguments import (
    SHARED_RATE,
    check_legal,
    check_list_lengths,
    check_names,
    given_decay,
    given_rate,
    name_all,
    named_rate,
    rate_at,
    read_centralization,
    read_decay,
    read_groups,
    read_options,
    read_rate,
    scaled_decay,
    shifted,
    type_text,
    value_text,
)
from ._mindspore_checkpoint import OPTIONS, MindSporeCheckpoints
from ._slots import Allocate, Bound, Place, place_of
from ._updates import value_after

GROUP_KEYS = ("params", *OPTIONS, "param_names", "lr_name")
HINTS = {
    "lr": "MindSpore calls it learning_rate",
    "initial_accumulator_value": "MindSpore calls it accum",
    "eps": "MindSpore has no such option: its epsilon is fixed at 1e-8, under the root",
    "lr_decay": "MindSpore has no such option: give learning_rate as a callable or a list",
    "maximize": "MindSpore has no such option: negate the gradients",
    "grad_centralization": "give it to a group: [{'params': params, 'grad_centralization': True}]",
}
GROUP_HINTS = {
    **HINTS,
    "learning_rate": "MindSpore calls it lr",
    "lr_decay": "MindSpore has no such option: give lr as a callable or a list",
    "initial_accumulator_value": "all groups share it: give accum to the constructor",
    **{
        name: f"all groups share it: give {name} to the constructor"
        for name in ("accum", "update_slots", "loss_scale", "state_dtype", "allocate")
    },
}


class MindSporeAdagrad(MindSporeCheckpoints):
    r"""Adagrad as ``mindspore.nn.Adagrad`` computes it, in place on NumPy arrays.

    At global step `t` (0 first), for a parameter `w` of dtype `D` with gradient `g` and accumulator `s`
    (``state[i]["accum"]``)::

        g = D(D(w * D(weight_decay * loss_scale)) + g)      where it decays
        g = D(g - D(mean of each g[k]))                     where grad_centralization, see below
        g = D(g * D(1 / loss_scale))                        where loss_scale != 1
        s = s + g * g                                       unless update_slots is False
        w = w - (lr * g) * (1 / sqrt(s + 1e-8))

    each operation rounded once; rate, ``weight_decay * loss_scale`` and ``1 / loss_scale`` are rounded to float32
    first. The last two lines are computed in float32 for float16 and rounded when stored. The bits in float32 and
    float16 are those of ``mindspore.nn.Adagrad`` on a CPU, in float64 those of ``mindspore.ops.ApplyAdagrad``.
    bfloat16, which MindSpore does not support, follows float16.

    Where MindSpore's CPU build departs from its documentation, this follows the documentation:
    ``update_slots=False`` freezes the accumulator (MindSpore updates it nevertheless); gradient centralization works
    (MindSpore raises); float64 keeps float64 precision (MindSpore rounds to float32); subnormals are kept
    (MindSpore flushes them to zero in some calls). As in MindSpore, ``grad_centralization`` has no effect on parameters
    with fewer than two dimensions, or whose second dimension is no multiple of 16.

    Parameters
    ----------
    params : array, mapping, sequence of arrays, of (name, array) pairs or of group dicts, nested containers
        Arrays of float32, float64, float16 or bfloat16 (`ml_dtypes`), writeable and disjoint in
        memory. Arrays without a name are ``param0``, ``param1``, ... A group may have ``lr``, ``weight_decay`` and
        ``grad_centralization``. A group with ``order_params`` only sets the order of all parameters, and so that of
        gradients and state.
    accum : float, default 0.1
        The initial value of the accumulators.
    learning_rate : float, sequence, 1-D array or callable, default 0.001
        A sequence is indexed by `global_step`; a callable, such as one of `schedules`, is called with it.
        A schedule of MindSpore itself, such as ``nn.CosineDecayLR``, may be given here and to groups.
    update_slots : bool, default True
        False freezes the accumulators.
    loss_scale : float, default 1.0
        The factor by which the loss, and so each gradient, was multiplied.
    weight_decay : float or callable, default 0.0
        L2 penalty. Without groups, it does not apply to parameters with ``beta`` or ``gamma`` in their name.
    state_dtype : dtype, optional
        ``np.float32`` keeps float32 accumulators for float16 and bfloat16 parameters.
    allocate : callable, optional
        As for `TorchAdagrad`.

    Raises
    ------
    ValueError
        For an option out of range, or an array that is read-only, byte-swapped, misaligned or overlapping.
    TypeError
        For an option of the wrong kind, or anything but an array of a dtype above.
    KeyError
        For an unknown key in a group.
    RuntimeError
        From `step`, past the end of a sequence of rates.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    JMLR 12 (2011); ``mindspore/nn/optim/ada_grad.py`` and the operator ``ApplyAdagrad`` of MindSpore 2.10.0.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad import MindSporeAdagrad
    >>> w = np.array([1.0, 2.0, 3.0], np.float32)
    >>> opt = MindSporeAdagrad([w], accum=0.0, learning_rate=[0.5, 0.25])
    >>> opt.step([np.array([1.0, 0.0, -1.0], np.float32)])
    >>> w
    array([0.5, 2. , 3.5], dtype=float32)
    """

    _rule = "mindspore"
    _accumulator = "accum"
    _counter = "global_step"
    _counter_dtype = np.int32
    _watched_keys = OPTIONS
    _scheduled_keys = ("lr", "weight_decay")
    _added_keys = ("param_names", "lr_name")
    _foreign_names = HINTS
    learning_rate = NoAttribute("write to its groups: optimizer.param_groups[0]['lr'] = ...")

    def __init__(
        self,
        params: Params,
        accum: float | np.floating[Any] = 0.1,
        learning_rate: Any = 0.001,
        update_slots: bool = True,
        loss_scale: Number = 1.0,
        weight_decay: Rate = 0.0,
        *,
        state_dtype: npt.DTypeLike | None = None,
        allocate: Allocate | None = None,
        **unknown: NoReturn,
    ) -> None:
        self._check_unknown(unknown)
        if not isinstance(accum, (float, np.floating)):
            raise TypeError(type_text("accum", "float", accum))
        check_legal("accum", float(accum))
        if not isinstance(update_slots, bool):
            raise TypeError(type_text("update_slots", "bool", update_slots))
        if isinstance(loss_scale, str):
            raise TypeError(type_text("loss_scale", "float", loss_scale))
        scale = number(loss_scale, "loss_scale")
        if scale <= 0:
            raise ValueError(value_text("loss_scale", "> 0", loss_scale))
        check_legal("loss_scale", scale)
        self._accum, self._update_slots, self._norm_divisor = float(accum), update_slots, scale
        self.defaults = {"lr": given_rate(learning_rate), "weight_decay": given_decay(weight_decay)}
        given = read_once(params)
        groups, self._grouped = read_groups(given)
        self._next_group = len(given) if self._grouped else 1  # the number of the next group
        single = isinstance(params, np.ndarray)
        super().__init__(groups, single_param=single, state_dtype=state_dtype, allocate=allocate)
        with ieee():
            unscale = 1 / self._norm_divisor
        self._rule_options = {"update_slots": update_slots, "unscale": unscale}
        check_list_lengths(self.param_groups)
        self._shifts_rates = False

    def _checked_group(self, group: Group) -> Group:
        for key in group:
            if key not in GROUP_KEYS:
                hint = f"; {GROUP_HINTS[key]}" if key in GROUP_HINTS else nearest(key, GROUP_KEYS)
                raise KeyError(f"group: expected keys among {list(GROUP_KEYS[:4])}, got {key!r}{hint}")
        if not group["params"]:
            raise ValueError("group: expected at least one array in `params`, got none")
        return read_options({**self.defaults, "grad_centralization": False, **group})

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of parameters to an optimizer with groups. MindSpore has no such call.

        The accumulators start at `accum`, at the `global_step` that all parameters share.

        Parameters
        ----------
        param_group : mapping
            ``params``, and those of ``lr``, ``weight_decay`` and ``grad_centralization`` that differ from the
            constructor's.

        Raises
        ------
        TypeError, ValueError, KeyError
            As the constructor does, and for an optimizer without groups; nothing is added then.

        Examples
        --------
        >>> import numpy as np
        >>> from numpy_adagrad import MindSporeAdagrad
        >>> opt = MindSporeAdagrad([{"params": [np.zeros(3)]}])
        >>> opt.add_param_group({"params": [np.zeros(2)], "lr": 0.01})
        >>> [group["lr"] for group in opt.param_groups]
        [0.001, 0.01]
        """
        if not self._grouped:
            raise ValueError("add_param_group: expected an optimizer that was constructed with groups")
        check_dict("param_group", param_group)
        with self._lock:
            self._check_reentry()
            self._forget_removed()
            group = named_rate(read_group(param_group), self._next_group)
            name_all([group], len(self._slots), self._bound.names)
            group = self._checked_group(group)
            if isinstance(group["lr"], np.ndarray):
                check_list_lengths([*self.param_groups, group])
            self._add_group(group, (self.__dict__, {"_next_group": self._next_group + 1}))

    def _new_state(self, param: Array, allocate: Allocate | None) -> dict[str, Array]:
        return {"accum": self._new_accumulator(param, self._accum, "accum", allocate)}

    def _add_groups(self, bound: Bound, groups: list[Group], *pairs: tuple[Any, Any]) -> None:
        check_names(groups, bound.names, grouped=self._grouped)
        super()._add_groups(bound, groups, *pairs)

    def _group_index(self, k: int, group: Group) -> Array:
        """A group has an even index, and an odd one for parameters whose name excludes them from weight decay."""
        excluded = [not self._grouped and ("beta" in name or "gamma" in name) for name in group["param_names"]]
        return 2 * super()._group_index(k, group) + np.array(excluded, np.int32)

    def _hyperparameters(self, index: int) -> dict[str, Any]:
        k, never_decays = index // 2, index % 2
        group = self._bound.groups[k]
        self._check_entries(k, group)
        if self._grouped and group["params"][0] is self._bound.slots[0].param:  # the first of these calls
            self._shifts_rates = self._has_shifted_rates()
        rate, decay = read_rate(group["lr"]), read_decay(group["weight_decay"])
        if callable(rate):
            rate = value_after(k, place_of(k, group, "lr"), rate, "learning_rate")
        elif isinstance(rate, np.ndarray):
            rate = _listed_rate(rate)
        elif self._shifts_rates:
            rate = shifted(rate)
        if callable(decay):
            place = place_of(k, group, "weight_decay")
            scaled, decays = _scaled(value_after(k, place, decay, "weight_decay")), True
        else:
            scaled = decay * self._norm_divisor
            decays = scaled > 0
        return {
            "lr": rate,
            "weight_decay": scaled,
            "decays": decays and not never_decays,
            "grad_centralization": read_centralization(group["grad_centralization"]),
            **self._rule_options,
        }

    def _scheduled_value(self, k: int, place: Place, schedule: Callable[[int], Any], label: str, steps: int) -> float:
        # Once in a step, for the parameters that decay and those that do not.
        found = self._scheduled.get(place)
        return found[1] if found else super()._scheduled_value(k, place, schedule, label, steps)

    def _last_rate(self, rate: Any) -> float:
        if type(rate) is float:
            return rate  # also one out of range, which a callable may return
        rate = read_rate(rate)
        if not isinstance(rate, np.ndarray):
            return float(rate)
        return rate_at(rate, max(min(self.steps, len(rate)) - 1, 0))

    def _has_shifted_rates(self) -> bool:
        """Return whether MindSpore rounds a fixed rate as ``(v + 1) - 1``: beside a dynamic one, among group rates."""
        has_own = any(group["lr_name"] != SHARED_RATE for group in self.param_groups)
        rates = [self.defaults["lr"], *(read_rate(group["lr"]) for group in self.param_groups)]
        return has_own and any(callable(rate) or isinstance(rate, np.ndarray) for rate in rates)


def _listed_rate(rates: Array) -> Callable[[MindSporeAdagrad, int], float]:
    return lambda _, steps: rate_at(rates, steps)


def _scaled(decay: Callable[[MindSporeAdagrad, int], float]) -> Callable[[MindSporeAdagrad, int], float]:
    return lambda optimizer, steps: scaled_decay(decay(optimizer, steps), optimizer._norm_divisor)
