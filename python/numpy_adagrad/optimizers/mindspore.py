"""The rule of ``mindspore.nn.Adagrad``: arguments, their checks, what a step asks of the core, the state dict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inputs.containers import read_group
from ..inputs.tensors import fill, run_together
from ..inputs.types import Array, Group, Hyper, Params
from ..inputs.validation import cast_like, number
from ._base import Optimizer
from ._mindspore_arguments import (
    SHARED_RATE,
    check_lengths,
    check_names,
    check_range,
    decay_at,
    name_all,
    named_rate,
    rate_at,
    read_decay,
    read_groups,
    read_rate,
    scaled_decay,
    type_text,
    value_text,
)
from ._mindspore_state import load_ckpt, loaded, rate_array, saved
from ._state import Allocate, Slot

OPTIONS = ("lr", "weight_decay", "grad_centralization")
GROUP_KEYS = ("params", *OPTIONS, "param_names", "lr_name")
HINTS = {
    "lr": "learning_rate",
    "initial_accumulator_value": "accum",
    "eps": "nothing: its epsilon is fixed at 1e-8, under the root",
    "lr_decay": "nothing: give learning_rate as a callable or a list",
}


class MindSporeAdagrad(Optimizer):
    r"""Adagrad as ``mindspore.nn.Adagrad`` computes it, in place on NumPy arrays.

    At global step `t` (0 first), for a parameter `w` of dtype `D` with gradient `g` and accumulator `s`
    (``state[i]["accum"]``):

        g = D(D(w * D(weight_decay * loss_scale)) + g)      where it decays
        g = D(g - D(mean of each g[k]))                     where grad_centralization
        g = D(g * D(1 / loss_scale))                        where loss_scale != 1
        s = s + g * g                                       unless update_slots is False
        w = w - (lr * g) * (1 / sqrt(s + 1e-8))

    each operation rounded once; rate, ``weight_decay * loss_scale`` and ``1 / loss_scale`` are rounded to float32
    first. The last two lines are computed in float32 for float16 and rounded when stored. The bits in float32 and
    float16 are those of ``mindspore.nn.Adagrad`` on a CPU, in float64 those of ``mindspore.ops.ApplyAdagrad``.
    bfloat16, which MindSpore refuses, follows float16.

    Where MindSpore's CPU build departs from its documentation, this follows the documentation:
    ``update_slots=False`` freezes the accumulator (MindSpore moves it all the same); gradient centralisation works
    (MindSpore raises); float64 keeps float64 precision (MindSpore rounds to float32); subnormals are kept
    (MindSpore flushes them to zero in some calls).

    Parameters
    ----------
    params : array, mapping, sequence of arrays, of (name, array) pairs or of group dicts
        Arrays of float32, float64, float16 or bfloat16 (`ml_dtypes`), writeable and apart from each other in
        memory. Arrays without a name are ``param0``, ``param1``, ... A group may have ``lr``, ``weight_decay`` and
        ``grad_centralization``; a group of ``order_params`` alone sets the order of all parameters, and with it that
        of gradients and state.
    accum : float, default 0.1
        Where accumulators start.
    learning_rate : float, sequence, 1-D array or callable, default 0.001
        A sequence is indexed by `global_step`, a callable is called with it.
    update_slots : bool, default True
        False leaves the accumulators as they are.
    loss_scale : float, default 1.0
        What the loss, and so each gradient, was multiplied by.
    weight_decay : float or callable, default 0.0
        L2 penalty. Unless there are groups, parameters with ``beta`` or ``gamma`` in their name do not decay.
    state_dtype : dtype, optional
        ``np.float32`` keeps float32 accumulators for float16 and bfloat16 parameters.
    allocate : callable, optional
        As for `TorchAdagrad`.

    Raises
    ------
    ValueError
        For an option out of range, or an array that is read-only, byte-swapped, misaligned or overlapping.
    TypeError
        For an option of the wrong kind, or something that is no array of a dtype above.
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
    _fields = ("lr", "weight_decay", "grad_centralization")

    def __init__(
        self,
        params: Params,
        accum: float = 0.1,
        learning_rate: Any = 0.001,
        update_slots: bool = True,
        loss_scale: float = 1.0,
        weight_decay: float | Callable[[int], Any] = 0.0,
        *,
        state_dtype: npt.DTypeLike | None = None,
        allocate: Allocate | None = None,
        **unknown: Any,
    ) -> None:
        for name in unknown:
            hint = f"; MindSpore calls it {HINTS[name]}" if name in HINTS else ""
            raise TypeError(f"MindSporeAdagrad got an unexpected argument {name!r}{hint}")
        if not isinstance(accum, (float, np.floating)):
            raise TypeError(type_text("accum", "float", accum))
        check_range("accum", float(accum))
        if not isinstance(update_slots, bool):
            raise TypeError(type_text("update_slots", "bool", update_slots))
        if isinstance(loss_scale, str):
            raise TypeError(type_text("loss_scale", "float", loss_scale))
        if number(loss_scale, "loss_scale") <= 0:
            raise ValueError(value_text("loss_scale", "> 0", loss_scale))
        check_range("loss_scale", float(loss_scale))
        self.accum, self._update_slots, self._norm_divisor = float(accum), update_slots, float(loss_scale)
        self.defaults = {"lr": read_rate(learning_rate), "weight_decay": read_decay(weight_decay)}
        self._global_step = np.zeros(1, np.int32)
        if isinstance(params, Iterator):
            params = list(params)
        groups, self._grouped = read_groups(params)
        self._given = len(list(params)) if self._grouped else 1
        super().__init__(groups, bare=isinstance(params, np.ndarray), state_dtype=state_dtype, allocate=allocate)
        check_lengths(self.param_groups)

    def _checked_group(self, group: Group) -> Group:
        for key in group:
            if key not in GROUP_KEYS:
                raise KeyError(f"group: expected keys among {list(GROUP_KEYS[:4])}, got {key!r}")
        if not group["params"]:
            raise ValueError("group: expected at least one array in `params`, got none")
        centralize = group.get("grad_centralization", False)
        if not isinstance(centralize, bool):
            raise TypeError(type_text("grad_centralization", "bool", centralize))
        return {
            **group,
            "lr": read_rate(group.get("lr", self.defaults["lr"])),
            "weight_decay": read_decay(group.get("weight_decay", self.defaults["weight_decay"])),
            "grad_centralization": centralize,
        }

    @property
    def update_slots(self) -> bool:
        """Whether accumulators move; fixed when the optimizer is made."""
        return self._update_slots

    @property
    def loss_scale(self) -> float:
        """What the gradients were multiplied by; fixed when the optimizer is made."""
        return self._norm_divisor

    @property
    def global_step(self) -> Array:
        """How many steps were taken (int32, shape (1,)); a value set to it fills this same array."""
        return self._global_step

    @global_step.setter
    def global_step(self, value: Any) -> None:
        self._global_step[...] = value

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of parameters to an optimizer that has groups. MindSpore knows no such call.

        The parameters start from `accum`, at the `global_step` that all share.

        Parameters
        ----------
        param_group : mapping
            ``params`` and, where they shall differ from the constructor's, ``lr``, ``weight_decay`` and
            ``grad_centralization``.

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
            raise ValueError("add_param_group: expected an optimizer that was made with groups")
        if not isinstance(param_group, Mapping):
            raise TypeError(f"param_group: expected a dict, got {type(param_group).__name__}")
        with self._lock:
            self._refuse_reentry()
            group = named_rate(read_group(param_group), self._given)
            name_all([group], len(self._slots))
            groups = [*self.param_groups, self._checked_group(group)]
            check_lengths(groups)
            self._rebuild(groups)
            self._given += 1

    def _new_state(self, param: Array) -> dict[str, Array]:
        return {"accum": self._full_like(param, self.accum)}

    def _counters(self, slots: list[Slot]) -> list[Array]:
        return [self.global_step]

    def _rebuild(self, groups: list[Group] | None = None) -> None:
        check_names(self.param_groups if groups is None else groups)
        super()._rebuild(groups)

    def _choose(self, groups: list[Group], names: list[str]) -> Array:
        choice = 2 * super()._choose(groups, names)
        if not self._grouped:
            choice += np.array(["beta" in name or "gamma" in name for name in names], np.int32)
        return choice

    def _hypers(self, grads: Sequence[Any]) -> tuple[list[Hyper], Array, dict[tuple[int, str], float]]:
        """For each group, what it asks for parameters that decay and for those that by their name do not."""
        step = int(self.global_step[0])
        shifts = self._grouped and self._shifts()
        hypers: list[Hyper] = []
        used: dict[tuple[int, str], float] = {}
        for k, group in enumerate(self.param_groups):
            lr, decay = rate_at(group["lr"], step, shifts), decay_at(group["weight_decay"], step)
            used |= {(k, key): value for key, value in (("lr", lr), ("weight_decay", decay)) if callable(group[key])}
            scaled, decays = scaled_decay(decay, self.loss_scale, callable(group["weight_decay"]))
            tail = self.update_slots, 1 / self.loss_scale, group["grad_centralization"]
            hypers += [(lr, scaled, decays, *tail), (lr, 0.0, False, *tail)]
        return hypers, self._which, used

    def _shifts(self) -> bool:
        """Tell whether MindSpore rounds a fixed rate as ``(v + 1) - 1``: beside a dynamic one, among group rates."""
        has_own = any(group["lr_name"] != SHARED_RATE for group in self.param_groups)
        rates = [self.defaults["lr"], *(group["lr"] for group in self.param_groups)]
        return has_own and any(callable(rate) or isinstance(rate, np.ndarray) for rate in rates)

    def state_dict(self, *, parameters: bool = False) -> dict[str, Array]:
        """Return state and rates under the names that ``mindspore.save_checkpoint(optimizer)`` uses.

        Parameters
        ----------
        parameters : bool, default False
            Also return the parameters, under their own names. ``mindspore.load_param_into_net`` 2.10 needs them: it
            loads ``accum.w`` into a parameter ``w`` that is missing.

        Returns
        -------
        dict
            ``global_step`` (int32, shape (1,)), ``learning_rate`` or ``learning_rate_group_<k>`` (float32; absent
            for a callable), and ``accum.<name>`` for each parameter. Counter, parameters and accumulators are
            the arrays that the next step changes.

        Examples
        --------
        >>> import numpy as np
        >>> from numpy_adagrad import MindSporeAdagrad
        >>> sorted(MindSporeAdagrad({"w": np.zeros(2, np.float32)}).state_dict())
        ['accum.w', 'global_step', 'learning_rate']
        """
        with self._lock:
            return saved(self.names, self._slots, self.param_groups, self.global_step, parameters=parameters)

    def load_state_dict(self, state_dict: Mapping[str, Any], *, parameters: bool = False) -> None:
        """Take state and rates from a state dict, ours or what ``mindspore.load_checkpoint`` returns.

        Parameters
        ----------
        state_dict : mapping
            As `state_dict` returns it. Arrays, tensors and parameters of MindSpore are copied.
        parameters : bool, default False
            Also load the parameters; otherwise they are left alone, whether they are there or not.

        Raises
        ------
        KeyError, ValueError, TypeError
            For what is missing, unknown or does not fit; nothing has changed then.
        """
        with self._lock:
            self._make_ready()
            run_together(self._loading(state_dict, parameters=parameters))

    def _loading(self, state_dict: Mapping[str, Any], *, parameters: bool) -> list[Callable[[], None]]:
        targets = self.state_dict(parameters=parameters)
        values, groups = loaded(state_dict, targets, self.names, self.param_groups)
        return [
            partial(setattr, self, "param_groups", groups),
            partial(setattr, self, "_last_used", {}),
            *(fill(targets[key], value) for key, value in values.items()),
        ]

    def _loading_ckpt(self, path: str, *, parameters: bool) -> list[Callable[[], None]]:
        return self._loading(load_ckpt(path), parameters=parameters)

    def _shared(self) -> dict[str, Array]:
        return {"global_step": self.global_step}

    def _fixed(self) -> dict[str, Any]:
        return {"update_slots": self.update_slots, "loss_scale": self.loss_scale}

    def _saved_options(self) -> list[Group]:
        return [self._saved_group(k, group) for k, group in enumerate(self.param_groups)]

    def _saved_group(self, k: int, group: Group) -> Group:
        step = int(self.global_step[0])
        return {
            "lr": read_rate(self._saved_value(k, "lr", lambda: rate_at(group["lr"], step, False))),
            "weight_decay": self._saved_value(k, "weight_decay", lambda: decay_at(group["weight_decay"], step)),
            "grad_centralization": group["grad_centralization"],
        }

    def _restoring(
        self, states: list[dict[str, Array]], options: list[Group], shared: Mapping[str, Array]
    ) -> list[Callable[[], None]]:
        targets = self.state_dict()
        accums = {f"accum.{name}": state["accum"] for name, state in zip(self.names, states, strict=True)}
        # The rates of groups that share a name may differ here, so that they come from the groups.
        values, _ = loaded({**targets, **shared, **accums}, targets, self.names, self.param_groups)
        groups = [self._restored(*pair) for pair in zip(self.param_groups, options, strict=True)]
        used = {
            (k, key): number(saved_group[key], key)
            for k, saved_group in enumerate(options)
            for key in ("lr", "weight_decay")
            if not isinstance(saved_group[key], np.ndarray)
        }
        return [
            partial(setattr, self, "param_groups", groups),
            partial(setattr, self, "_last_used", used),
            *(fill(targets[key], value) for key, value in values.items()),
        ]

    def _restored(self, group: Group, saved_group: Group) -> Group:
        for key in OPTIONS:
            if key not in saved_group:
                raise KeyError(f"groups: expected an entry {key!r}")
        kept = {key: group[key] for key in ("lr", "weight_decay") if callable(group[key])}
        if "lr" not in kept:  # a number for a number, a sequence for one of its length
            cast_like(np.asarray(saved_group["lr"]), rate_array(group["lr"]), group["lr_name"])
        return self._checked_group({**group, **{key: saved_group[key] for key in OPTIONS}, **kept})
