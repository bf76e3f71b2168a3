"""The rule of ``torch.optim.Adagrad``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ..inputs.containers import are_groups, read_groups, read_once
from ..inputs.hints import level_of_user, nearest
from ..inputs.tensors import any_array
from ..inputs.types import Array, Group, Number, Params, Rate
from ..inputs.validation import flag, is_schedule, number
from ._base import Optimizer
from ._slots import Allocate, Slot

# Like torch, a group keeps keys that the rule does not read, but these are MindSpore's names for an option.
HINTS = {
    "learning_rate": "torch calls it lr",
    "epsilon": "torch calls it eps",
    "accum": "torch calls it initial_accumulator_value",
    "loss_scale": "torch has no such option: give grad_scale to each step",
    "update_slots": "torch has no such option: it always updates the accumulators",
    "grad_centralization": "torch has no such option: centralize the gradients yourself",
    "global_step": "torch counts the steps of each parameter: optimizer.state[0]['step']",
}
# And these are the constructor's own.
GROUP_HINTS = HINTS | dict.fromkeys(
    ("state_dtype", "sparse_weight_decay", "allocate"), "give it to the constructor, for all groups"
)


class TorchAdagrad(Optimizer):
    r"""Adagrad as ``torch.optim.Adagrad`` computes it, in place on NumPy arrays.

    At step `t` of a parameter `p` with gradient `g` and accumulator `s` (``state[i]["sum"]``)::

        g = -g                                  where maximize
        g = fma(p, weight_decay, g)             where weight_decay != 0
        s = fma(g, g, s)
        p = p - (rate * g) / (sqrt(s) + eps),   rate = lr / fma(t - 1, lr_decay, 1)

    Each operation is rounded once in the parameter's dtype, the rate in float64. In float32 and float64, the bits are
    those of ``fused=True`` on x86-64 with AVX2 or better. float16 and bfloat16 are computed in float32 from the stored
    values and rounded when they are stored. Complex parameters are updated as pairs of reals.

    Parameters
    ----------
    params : array, mapping, sequence of arrays, of (name, array) pairs or of group dicts, nested containers
        Writeable arrays of float32, float64, float16, bfloat16 (`ml_dtypes`), complex64 or complex128 that do not
        overlap in memory. Steps update these arrays themselves.
    lr : float, 1-element array or callable, default 1e-2
        The learning rate. A callable, such as one of `schedules`, is called with the number of steps that the parameter
        has taken.
    lr_decay : float, default 0
        The decay of the learning rate, see above.
    weight_decay : float, default 0
        L2 penalty, added to the gradient.
    initial_accumulator_value : float, default 0
        The initial value of the accumulators.
    eps : float, default 1e-10
        Added to the root. With ``eps=0``, a zero gradient on a zero accumulator gives NaN, as in torch.
    foreach : None or False
        Accepted for API compatibility; True raises ValueError.
    maximize : bool, default False
        Maximize the objective instead of minimizing it.
    differentiable : False
        Accepted for API compatibility; True raises ValueError.
    fused : bool or None
        Accepted for API compatibility: there is only the fused path.
    state_dtype : dtype, optional
        ``np.float32`` keeps float32 accumulators for float16 and bfloat16 parameters.
    sparse_weight_decay : None or 'touched'
        With `weight_decay`, a sparse gradient (`RowSparse`) raises RuntimeError, as in torch; 'touched' decays the rows
        that the gradient covers, once each.
    allocate : callable, optional
        Called as ``allocate(param, dtype, value)`` for each new accumulator; returns the array to use, filled with
        `value`. A `numpy.memmap` makes room for more than fits into memory. For rows far apart, its
        ``base.madvise(mmap.MADV_RANDOM)`` keeps the system from reading around each of them.

    Raises
    ------
    ValueError
        For an option out of range, or an array that is read-only, byte-swapped, misaligned or overlapping.
    TypeError
        For an option that is not a number, or anything but an array of a dtype above.
    KeyError
        For a misspelt key of a group.
    RuntimeError
        For `fused` beside `foreach` or `differentiable`, as in torch.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    JMLR 12 (2011); ``torch/optim/adagrad.py`` and ``FusedAdagradKernel.cpp`` of torch 2.13.0.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad import TorchAdagrad
    >>> w = np.array([1.0, 2.0, 3.0], np.float32)
    >>> opt = TorchAdagrad([w], lr=0.5)
    >>> opt.step([np.array([1.0, 0.0, -1.0], np.float32)])
    >>> w
    array([0.5, 2. , 3.5], dtype=float32)
    """

    _rule = "torch"
    _accumulator = "sum"
    _counter = "step"
    _watched_keys = ("lr", "lr_decay", "eps", "weight_decay", "maximize")
    _scheduled_keys = ("lr",)
    _required_keys = ("lr", "lr_decay", "weight_decay", "eps")
    _kept_keys = ("foreach", "differentiable", "fused", "params", "param_names")
    _foreign_names = HINTS

    def __init__(
        self,
        params: Params,
        lr: Rate = 1e-2,
        lr_decay: Number = 0,
        weight_decay: Number = 0,
        initial_accumulator_value: Number = 0,
        eps: Number = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state_dtype: npt.DTypeLike | None = None,
        sparse_weight_decay: str | None = None,
        allocate: Allocate | None = None,
        **unknown: NoReturn,
    ) -> None:
        self._check_unknown(unknown)
        _check_rate(lr)
        is_touched = isinstance(sparse_weight_decay, str) and sparse_weight_decay == "touched"
        if not (is_touched or sparse_weight_decay is None):
            raise ValueError(f"sparse_weight_decay: expected None or 'touched', got {sparse_weight_decay!r}")
        for name, value in (("lr_decay", lr_decay), ("weight_decay", weight_decay)):
            if not number(value, name) >= 0:
                raise ValueError(f"Invalid {name} value: {value}")
        if not number(initial_accumulator_value, "initial_accumulator_value") >= 0:
            raise ValueError(f"Invalid initial_accumulator_value value: {initial_accumulator_value}")
        if not number(eps, "eps") >= 0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        self.defaults: Group = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        given = read_once(params)
        groups = read_groups(given)
        if not are_groups(given) and not groups[0]["params"]:
            raise ValueError("optimizer got an empty parameter list")
        check_path(self.defaults)
        single = isinstance(params, np.ndarray)
        super().__init__(groups, single_param=single, state_dtype=state_dtype, allocate=allocate)
        self._rule_options = {"decays_sparse": sparse_weight_decay is not None}

    def _checked_group(self, group: Group) -> Group:
        known = [*self.defaults, "params", "param_names"]
        for key in group:
            if key in GROUP_HINTS:
                text = f"param_groups: TorchAdagrad does not read the key {key!r}; {GROUP_HINTS[key]}"
                warnings.warn(text, UserWarning, stacklevel=level_of_user())
            elif key not in known and (hint := nearest(key, known)):
                raise KeyError(f"param_groups: expected names of options, got {key!r}{hint}")
        filled = {**self.defaults, **group}
        initial = number(filled["initial_accumulator_value"], "initial_accumulator_value")
        if initial != self.defaults["initial_accumulator_value"]:
            raise ValueError(
                "initial_accumulator_value: expected the constructor's in every group, "
                f"{self.defaults['initial_accumulator_value']}, got {initial}"
            )
        if not is_schedule(filled["lr"], "lr"):
            number(filled["lr"], "lr")
        for name in ("lr_decay", "weight_decay", "eps"):
            number(filled[name], name)
        flag(filled["maximize"], "maximize")
        check_path(filled)
        return filled

    def _new_state(self, param: Array, allocate: Allocate | None) -> dict[str, Array]:
        argument = "initial_accumulator_value"
        initial = number(self.defaults[argument], argument)
        value = complex(initial, initial) if param.dtype.kind == "c" else initial
        return {"step": np.zeros((), np.float32), "sum": self._new_accumulator(param, value, argument, allocate)}

    def _counters(self, slots: list[Slot]) -> list[Array]:
        return [slot.state["step"] for slot in slots]

    def _saved_groups(self) -> list[Group]:
        # There is only the fused path. A state dict says so, because torch takes the path of the dict that it loads.
        own_groups = list(self.param_groups)  # schedules are called below, which may change it
        groups = super()._saved_groups()
        for group, own in zip(groups, own_groups, strict=True):
            has_complex = any(param.dtype.kind == "c" for param in own["params"])
            group.update(foreach=None, differentiable=False, fused=None if has_complex else True)
        return groups

    def _loaded_group(self, k: int, saved: Mapping[str, Any]) -> Group:
        return super()._loaded_group(k, {"maximize": False, **saved})

    def state_dict(self, *, tensors: bool = False) -> dict[str, Any]:
        """Return state and options in the layout of ``torch.optim.Optimizer.state_dict``.

        Parameters
        ----------
        tensors : bool, default False
            Copy the state into contiguous CPU tensors, so that ``torch.optim.Adagrad`` loads it (its fused step
            requires contiguous parameters too); needs torch. Otherwise the arrays are those that the next step
            changes.

        Returns
        -------
        dict
            ``state``: for each parameter's index, ``step`` (float32, shape ()) and ``sum``. ``param_groups``: the
            options of each group and the indices of its parameters. A callable rate appears as its last value.

        Examples
        --------
        >>> import numpy as np
        >>> from numpy_adagrad import TorchAdagrad
        >>> TorchAdagrad([np.zeros(2, np.float32)]).state_dict()["state"]
        {0: {'step': array(0., dtype=float32), 'sum': array([0., 0.], dtype=float32)}}
        """
        return super().state_dict(tensors=tensors)


def _check_rate(lr: Any) -> None:
    if is_schedule(lr, "lr"):
        return
    array = any_array(lr, "lr")
    if array is not None and array.size != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not number(lr, "lr") >= 0:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_path(group: Group) -> None:
    """Raise an error for a path of torch's that does not exist here."""
    flags = {name: flag(group[name], name) for name in ("fused", "foreach", "differentiable")}
    if flags["fused"] and flags["differentiable"]:
        raise RuntimeError("`fused` does not support `differentiable`")
    if flags["fused"] and flags["foreach"]:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    for name, expected in (("foreach", "None or False"), ("differentiable", "False")):
        if flags[name]:
            raise ValueError(f"{name}: expected {expected}, as the path is the fused one, got {group[name]!r}")
