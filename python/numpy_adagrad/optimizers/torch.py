"""The rule of ``torch.optim.Adagrad``: arguments, their checks, what a step asks of the core, the state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inputs.containers import read_groups
from ..inputs.tensors import fill, identity, run_together, to_array, to_tensor
from ..inputs.types import Array, Group, Hyper, Params, Rate
from ..inputs.validation import number
from ._base import Optimizer
from ._state import Allocate, Slot
from ._torch_state import OWN, loaded, saved


class TorchAdagrad(Optimizer):
    r"""Adagrad as ``torch.optim.Adagrad`` computes it, in place on NumPy arrays.

    At step `t` of a parameter `p` with gradient `g` and accumulator `s` (``state[i]["sum"]``):

        g = -g                                  where maximize
        g = fma(p, weight_decay, g)             where weight_decay != 0
        s = fma(g, g, s)
        p = p - (rate * g) / (sqrt(s) + eps),   rate = lr / fma(t - 1, lr_decay, 1)

    each operation rounded once in the parameter's dtype, the rate in float64. The bits in float32 and float64
    are those of ``fused=True`` on x86-64 with AVX2 or better. float16 and bfloat16 are computed in float32 from the
    stored values and rounded when stored. Complex parameters are updated as pairs of reals.

    Parameters
    ----------
    params : array, mapping, sequence of arrays, of (name, array) pairs or of group dicts
        Arrays of float32, float64, float16, bfloat16 (`ml_dtypes`), complex64 or complex128, writeable and apart
        from each other in memory. They are the arrays that move.
    lr : float, 1-element array or callable, default 1e-2
        The learning rate. A callable is called with the number of steps that the parameter has taken.
    lr_decay : float, default 0
        How fast the rate falls, see above.
    weight_decay : float, default 0
        L2 penalty, added to the gradient.
    initial_accumulator_value : float, default 0
        Where accumulators start.
    eps : float, default 1e-10
        Added to the root. With ``eps=0`` a zero gradient on a zero accumulator gives NaN, as in torch.
    foreach : None or False
        Accepted for torch's sake; True is refused.
    maximize : bool, default False
        Climb the gradient.
    differentiable : False
        Accepted for torch's sake; True is refused.
    fused : bool or None
        Accepted for torch's sake: the fused path is the only one.
    state_dtype : dtype, optional
        ``np.float32`` keeps float32 accumulators for float16 and bfloat16 parameters.
    sparse_weight_decay : None or 'touched'
        What a step does with `weight_decay` and a gradient of rows (`RowSparse`): refuse it, as torch does, or decay
        the rows that the gradient touches, once each.
    allocate : callable, optional
        Called as ``allocate(param, dtype, value)`` for each new accumulator; returns the array to use, which holds
        `value` already. A `numpy.memmap` makes room for more than fits into memory; where rows lie far apart, its
        ``base.madvise(mmap.MADV_RANDOM)`` keeps the system from reading around each.

    Raises
    ------
    ValueError
        For an option out of range, or an array that is read-only, byte-swapped, misaligned or overlapping.
    TypeError
        For an option that is no number, or something that is no array of a dtype above.

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
    _fields = ("lr", "lr_decay", "eps", "weight_decay", "maximize")

    def __init__(
        self,
        params: Params,
        lr: Rate = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state_dtype: npt.DTypeLike | None = None,
        sparse_weight_decay: str | None = None,
        allocate: Allocate | None = None,
    ) -> None:
        _check_rate(lr)
        if sparse_weight_decay not in (None, "touched"):
            raise ValueError(f"sparse_weight_decay: expected None or 'touched', got {sparse_weight_decay!r}")
        self._decays_rows = sparse_weight_decay is not None
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
        groups = read_groups(params)
        if not any(group["params"] for group in groups) and len(groups) == 1:
            raise ValueError("optimizer got an empty parameter list")
        check_path(self.defaults)
        super().__init__(groups, bare=isinstance(params, np.ndarray), state_dtype=state_dtype, allocate=allocate)

    def _checked_group(self, group: Group) -> Group:
        filled = {**self.defaults, **group}
        initial = number(filled["initial_accumulator_value"], "initial_accumulator_value")
        if initial != self.defaults["initial_accumulator_value"]:
            raise ValueError(
                "initial_accumulator_value: expected the constructor's in every group, "
                f"{self.defaults['initial_accumulator_value']}, got {initial}"
            )
        check_path(filled)
        return filled

    def _new_state(self, param: Array) -> dict[str, Array]:
        initial = float(self.defaults["initial_accumulator_value"])
        value = complex(initial, initial) if param.dtype.kind == "c" else initial
        return {"step": np.zeros((), np.float32), "sum": self._full_like(param, value)}

    def _counters(self, slots: list[Slot]) -> list[Array]:
        return [slot.state["step"] for slot in slots]

    def _hypers(self, grads: Sequence[Any]) -> tuple[list[Hyper], Array, dict[tuple[int, str], float]]:
        hypers = []
        for group in self.param_groups:
            lr = group["lr"]
            if callable(lr):
                return self._scheduled(grads)
            hypers.append(hyper_of(group, lr, self._decays_rows))
        return hypers, self._which, {}

    def _scheduled(self, grads: Sequence[Any]) -> tuple[list[Hyper], Array, dict[tuple[int, str], float]]:
        """As `_hypers`, where a rate depends on how many steps a parameter has taken."""
        rates: dict[tuple[int, str], float] = {}
        hypers: list[Hyper] = [(0.0, 0.0, 0.0, 0.0, False, False)]  # for those without a gradient
        known: dict[tuple[int, int], int] = {}
        which = np.zeros(len(self._slots), np.int32)
        for i, slot in enumerate(self._slots):
            if i < len(grads) and grads[i] is not None:
                key = int(self._which[i]), int(slot.state["step"])
                if key not in known:
                    known[key] = len(hypers)
                    rate = rates[key[0], "lr"] = self._rate(*key)
                    hypers.append(hyper_of(self.param_groups[key[0]], rate, self._decays_rows))
                which[i] = known[key]
        return hypers, which, rates

    def _rate(self, k: int, steps: int) -> float:
        """Return the rate of group `k` for a parameter that has taken so many steps."""
        lr = self.param_groups[k]["lr"]
        return number(lr(steps) if callable(lr) else lr, "lr")

    def state_dict(self, *, tensors: bool = False) -> dict[str, Any]:
        """Return state and options in the layout of ``torch.optim.Optimizer.state_dict``.

        Parameters
        ----------
        tensors : bool, default False
            Copy the state into contiguous CPU tensors, so that ``torch.optim.Adagrad`` loads it (its fused step
            needs parameters that are contiguous too); needs torch. Otherwise the arrays are those that the next
            step changes.

        Returns
        -------
        dict
            ``state``: for each parameter's index, ``step`` (float32, shape ()) and ``sum``. ``param_groups``: the
            options of each group and the indices of its parameters. A callable rate stands as the value last used.

        Examples
        --------
        >>> import numpy as np
        >>> from numpy_adagrad import TorchAdagrad
        >>> TorchAdagrad([np.zeros(2, np.float32)]).state_dict()["state"]
        {0: {'step': array(0., dtype=float32), 'sum': array([0., 0.], dtype=float32)}}
        """
        with self._lock:
            rates = [self._saved_rate(k) for k in range(len(self.param_groups))]
            return saved(self._slots, self.param_groups, rates, to_tensor if tensors else identity)

    def _saved_rate(self, k: int) -> Any:
        return self._saved_value(k, "lr", lambda: self._rate(k, 0))

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take state and options from a state dict, ours or that of a real ``torch.optim.Adagrad``.

        Arrays and tensors are copied, accumulators cast to the dtype that they have here. What a parameter has no
        entry for starts anew, as in torch. Callable rates stay in place.

        Parameters
        ----------
        state_dict : mapping
            As `state_dict` returns it, with arrays or tensors.

        Raises
        ------
        KeyError, ValueError, TypeError
            For what is missing or does not fit; nothing has changed then.
        """
        with self._lock:
            self._make_ready()
            run_together(self._loading(state_dict))

    def _loading(self, state_dict: Mapping[str, Any]) -> list[Callable[[], None]]:
        groups, states = loaded(state_dict, self.param_groups, self._slots, self._new_state)
        rates = enumerate(state_dict["param_groups"])
        last_used = {(k, "lr"): number(to_array(group["lr"]), "lr") for k, group in rates}
        return [
            partial(setattr, self, "param_groups", groups),
            partial(setattr, self, "_last_used", last_used),
            *(
                fill(slot.state[key], state[key])
                for slot, state in zip(self._slots, states, strict=True)
                for key in state
            ),
        ]

    def _saved_options(self) -> list[Group]:
        groups = [{**group, "lr": self._saved_rate(k)} for k, group in enumerate(self.param_groups)]
        return [{key: value for key, value in group.items() if key not in OWN} for group in groups]

    def _restoring(
        self, states: list[dict[str, Array]], options: list[Group], shared: Mapping[str, Array]
    ) -> list[Callable[[], None]]:
        left = iter(range(len(states)))
        groups = [
            {**saved_group, "params": [next(left) for _ in group["params"]]}
            for saved_group, group in zip(options, self.param_groups, strict=True)
        ]
        return self._loading({"state": dict(enumerate(states)), "param_groups": groups})


def hyper_of(group: Group, lr: Any, decays_rows: bool) -> Hyper:
    """What a group asks of a step at this rate; the core reads the numbers."""
    lr = lr if type(lr) is float else number(lr, "lr")
    return lr, group["lr_decay"], group["eps"], group["weight_decay"], group["maximize"], decays_rows


def _check_rate(lr: Any) -> None:
    if callable(lr):
        return
    if isinstance(lr, np.ndarray) and lr.size != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not number(lr, "lr") >= 0:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_path(group: Group) -> None:
    if group["fused"] and group["differentiable"]:
        raise RuntimeError("`fused` does not support `differentiable`")
    if group["fused"] and group["foreach"]:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    for name in ("foreach", "differentiable"):
        if group[name]:
            raise ValueError(
                f"{name}: expected {None if name == 'foreach' else False}, as the path is the fused one, got True"
            )
