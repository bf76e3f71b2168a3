"""A live ``mindspore.nn.Adagrad``, taken over, in its own memory where MindSpore shares it, and given back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count, groupby
from typing import Any

import numpy as np

from ..inputs.tensors import fill, run_together
from ..inputs.types import Array, Group
from ..inputs.validation import check_fit, check_kind, check_same, same_memory
from ..optimizers._mindspore_arguments import SHARED_RATE
from ..optimizers._mindspore_checkpoint import rate_array
from ..optimizers.mindspore import MindSporeAdagrad
from .mindspore_options import Asked, asked, default_rate, read_rate


def from_mindspore(optimizer: Any) -> MindSporeAdagrad:
    """Make a `MindSporeAdagrad` of a live ``mindspore.nn.Adagrad``, over the memory that MindSpore shares.

    On a CPU, ``asnumpy()`` of MindSpore 2.10 is the memory of a parameter: a step of ours moves MindSpore's
    parameters, accumulators and ``global_step``, and MindSpore can take the next step at any time. Where ``asnumpy()``
    copies, a warning names what was copied; `to_mindspore` writes it back. Groups, their order, names, rates, schedules
    and decays come along.

    In float32 and float16, the bits of a run that is switched this way are those of the unswitched run, subnormal
    numbers aside. What MindSpore's CPU build does not do as documented is done here: ``update_slots=False`` freezes
    the accumulators, gradient centralisation works, float64 is kept.

    Parameters
    ----------
    optimizer : mindspore.nn.Adagrad
        The optimizer; it can go on at any time.

    Returns
    -------
    MindSporeAdagrad
        Give its `step` the gradients as arrays, ``[grad.asnumpy() for grad in grads]``.

    Raises
    ------
    TypeError
        For anything but a ``mindspore.nn.Adagrad``, or for parameters of a dtype that `MindSporeAdagrad` does not take.

    Warns
    -----
    UserWarning
        For memory that MindSpore does not share.

    Notes
    -----
    ``Parameter.set_data`` and ``mindspore.load_param_into_net`` give a parameter other memory: call `from_mindspore`
    again after them. A rate that is changed in MindSpore's optimizer afterwards is not seen.

    Examples
    --------
    >>> import mindspore
    >>> import numpy as np
    >>> from numpy_adagrad import from_mindspore
    >>> w = mindspore.Parameter(mindspore.Tensor(np.ones(2, np.float32)), name="w")
    >>> ours = from_mindspore(mindspore.nn.Adagrad([w], accum=0.0, learning_rate=0.5))
    >>> ours.step({"w": np.array([1, -1], np.float32)})
    >>> w.asnumpy()
    array([0.5, 1.5], dtype=float32)
    """
    check_kind("optimizer", optimizer, "mindspore.nn", "Adagrad")
    params = _arrays(optimizer.parameters)
    accums = dict(zip(map(id, params), _arrays(optimizer.accum), strict=True))
    entries = asked(optimizer)
    ours = MindSporeAdagrad(
        _groups(optimizer, params, entries),
        accum=float(optimizer.init_args["accum"]),
        learning_rate=default_rate(optimizer, entries),
        update_slots=bool(optimizer.opt.update_slots),
        loss_scale=float(optimizer.loss_scale),
        weight_decay=0.0 if optimizer.is_group else entries[0].decay,
        allocate=lambda param, dtype, value: accums[id(param)],
    )
    ours._allocate = None
    (ours._steps,) = _arrays([optimizer.global_step])
    if optimizer.is_group_lr:
        _name_rates(ours, entries)
    ours._rebind()
    return ours


def to_mindspore(opt: MindSporeAdagrad, optimizer: Any) -> None:
    """Write parameters, state and rates into a live ``mindspore.nn.Adagrad``, which then goes on where `opt` stands.

    What lies in shared memory already is left alone.

    Parameters
    ----------
    opt : MindSporeAdagrad
        Where from.
    optimizer : mindspore.nn.Adagrad
        Where to: with the same parameters by name, order, shape and dtype. Options that MindSpore compiles in,
        `loss_scale`, `update_slots`, decay and centralisation, must be the same; so must be the kind and length of
        rates. A schedule stays in place.

    Raises
    ------
    TypeError, ValueError
        For what does not fit; nothing has changed then.

    Examples
    --------
    >>> import mindspore
    >>> import numpy as np
    >>> from numpy_adagrad import MindSporeAdagrad, to_mindspore
    >>> ours = MindSporeAdagrad({"w": np.ones(2, np.float32)}, learning_rate=0.5)
    >>> ours.step({"w": np.array([1, -1], np.float32)})
    >>> w = mindspore.Parameter(mindspore.Tensor(np.zeros(2, np.float32)), name="w")
    >>> to_mindspore(ours, mindspore.nn.Adagrad([w]))
    >>> w.asnumpy()
    array([0.5232687, 1.4767313], dtype=float32)
    """
    check_kind("opt", opt, "numpy_adagrad", "MindSporeAdagrad")
    check_kind("optimizer", optimizer, "mindspore.nn", "Adagrad")
    with opt._lock:
        opt._prepare_transfer()
        check_same("names", opt.names, [param.name for param in optimizer.parameters])
        entries = asked(optimizer)
        _check_options(opt, optimizer, entries)
        actions = _written("global_step", optimizer.global_step, opt.global_step)
        for name, slot, param, accum in zip(opt.names, opt._slots, optimizer.parameters, optimizer.accum, strict=True):
            actions += _written(name, param, slot.param)
            actions += _written(f"accum.{name}", accum, slot.state["accum"])
        for parameter, rate in _fixed_rates(opt, entries):
            actions += _written(parameter.name, parameter, rate)
        run_together(actions)


def _memory(parameter: Any) -> tuple[Array, bool]:
    """Return a parameter's values, and whether they are its own memory."""
    array: Array = parameter.asnumpy()
    return array, array.flags.writeable and same_memory(array, parameter.asnumpy())


def _arrays(parameters: Iterable[Any]) -> list[Array]:
    """Return the memory of parameters, or a copy where it is not shared."""
    arrays = []
    for parameter in parameters:
        array, is_shared = _memory(parameter)
        if not is_shared:
            warnings.warn(
                f"{parameter.name}: copied, as MindSpore does not share its memory; to_mindspore writes it back",
                stacklevel=3,
            )
        arrays.append(array if is_shared else array.copy())
    return arrays


def _groups(optimizer: Any, params: list[Array], entries: list[Asked]) -> list[Any]:
    """Return pairs of name and array, in groups if MindSpore has some: one for each run of parameters alike."""
    pairs = [(parameter.name, param) for parameter, param in zip(optimizer.parameters, params, strict=True)]
    if not optimizer.is_group:
        return pairs
    groups: list[Group] = []
    alike = groupby(zip(pairs, entries, strict=True), lambda item: (id(item[1].rate), *item[1][1:]))
    for _, members in alike:
        run = list(members)
        entry = run[0][1]
        group: Group = {"params": [pair for pair, _ in run], "weight_decay": entry.decay}
        group["grad_centralization"] = entry.centralizes
        groups.append({**group, "lr": read_rate(entry.rate)} if optimizer.is_group_lr else group)
    return groups


def _name_rates(ours: MindSporeAdagrad, entries: list[Asked]) -> None:
    """Call the groups' rates in checkpoints as MindSpore does."""
    named = {entry.rate_name for entry in entries}
    unused = (name for name in map(f"{SHARED_RATE}_group_{{}}".format, count()) if name not in named)
    start = 0
    for group in ours.param_groups:
        group["lr_name"] = entries[start].rate_name or next(unused)
        start += len(group["params"])
    ours._next_group = len(ours.param_groups) + 1  # no number of MindSpore's is greater


def _group_of_each(opt: MindSporeAdagrad) -> list[Group]:
    return [group for group in opt.param_groups for _ in group["params"]]


def _check_options(opt: MindSporeAdagrad, optimizer: Any, entries: list[Asked]) -> None:
    """Refuse an optimizer that would go on otherwise."""
    check_same("loss_scale", opt.loss_scale, optimizer.loss_scale)
    check_same("update_slots", opt.update_slots, bool(optimizer.opt.update_slots))
    check_same("groups", opt._grouped, optimizer.is_group)
    for name, group, entry in zip(opt.names, _group_of_each(opt), entries, strict=True):
        check_same(f"grad_centralization of {name!r}", group["grad_centralization"], entry.centralizes)
        ours, theirs = (
            "a schedule" if callable(decay) else np.float32(decay * opt.loss_scale)
            for decay in (group["weight_decay"], entry.decay)
        )
        check_same(f"weight_decay * loss_scale of {name!r}", ours, theirs)
        check_same(f"a schedule as learning_rate of {name!r}", callable(group["lr"]), entry.rate_name is None)


def _fixed_rates(opt: MindSporeAdagrad, entries: list[Asked]) -> list[tuple[Any, Array]]:
    """Return MindSpore's parameters that hold rates, and what they shall hold; several groups may share one."""
    rates: dict[int, tuple[Any, Array]] = {}
    for group, entry in zip(_group_of_each(opt), entries, strict=True):
        if not callable(group["lr"]):
            rate = rate_array(group["lr"])
            _, known = rates.setdefault(id(entry.rate), (entry.rate, rate))
            if not np.array_equal(known, rate):
                expected = "one rate for the groups that share it in MindSpore"
                raise ValueError(f"{entry.rate_name}: expected {expected}, got {known} and {rate}")
    return list(rates.values())


def _written(label: str, parameter: Any, value: Array) -> list[Callable[[], None]]:
    """Check that an array fits a parameter of MindSpore's; return what writes it there, nothing in shared memory."""
    array, is_shared = _memory(parameter)
    check_fit(label, array, value)
    if not is_shared:
        return [partial(_set_data, parameter, value)]
    return [] if same_memory(array, value) else [fill(array, value)]


def _set_data(parameter: Any, value: Array) -> None:
    import mindspore

    parameter.set_data(mindspore.Tensor(value))
