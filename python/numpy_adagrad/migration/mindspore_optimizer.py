"""Share a live ``mindspore.nn.Adagrad`` in its own memory, and write an optimizer of ours into one."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from itertools import count, groupby
from typing import Any

import numpy as np

from .. import _core
from ..inputs.hints import level_of_user
from ..inputs.rounding import ieee
from ..inputs.types import Array, Group
from ..inputs.validation import check_fit, check_kind, check_same, same_memory
from ..optimizers._mindspore_arguments import group_rate
from ..optimizers._mindspore_entries import check_shared_rates, rate_array
from ..optimizers._slots import Existing
from ..optimizers.mindspore import MindSporeAdagrad
from .mindspore_options import ParameterOptions, default_rate, live_options, live_rate
from .shared_memory import SharedMemory


@ieee()
def from_mindspore(optimizer: Any) -> MindSporeAdagrad:
    """Make a `MindSporeAdagrad` over the memory of a live ``mindspore.nn.Adagrad``.

    On a CPU, ``asnumpy()`` of MindSpore 2.10 returns the memory of a parameter: a step of ours updates MindSpore's
    parameters, accumulators and ``global_step``, and MindSpore can take the next step at any time. If ``asnumpy()``
    returns a copy, a warning names the parameter; `to_mindspore` writes the copy back. Groups, their order, names,
    rates, schedules and decays are kept.

    In float32 and float16, a run that switches optimizers this way has the bits of a run by MindSpore alone, except
    for subnormal numbers. Where MindSpore's CPU build departs from its documentation, this follows the documentation:
    ``update_slots=False`` freezes the accumulators, gradient centralization works, float64 keeps its precision.

    Parameters
    ----------
    optimizer : mindspore.nn.Adagrad
        The optimizer. It can continue at any time.

    Returns
    -------
    MindSporeAdagrad
        Its `step` takes the gradients as arrays, ``[grad.asnumpy() for grad in grads]``.

    Raises
    ------
    TypeError
        For anything other than a ``mindspore.nn.Adagrad``, or for parameters of a dtype that `MindSporeAdagrad` does
        not take.

    Warns
    -----
    UserWarning
        For memory that MindSpore does not share.

    Notes
    -----
    ``Parameter.set_data`` and ``mindspore.load_param_into_net`` give a parameter new memory. After one of these, the
    next call of the new optimizer raises ValueError before it changes anything: call `from_mindspore` again. Later
    changes of a rate in MindSpore's optimizer have no effect here.

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
    accums = Existing(zip(map(id, params), _arrays(optimizer.accum), strict=True))
    options = live_options(optimizer)
    ours = MindSporeAdagrad(
        _groups(optimizer, params, options),
        accum=float(optimizer.init_args["accum"]),
        learning_rate=default_rate(optimizer, options),
        update_slots=bool(optimizer.opt.update_slots),
        loss_scale=float(optimizer.loss_scale),
        weight_decay=0.0 if optimizer.is_group else options[0].decay,
        allocate=accums,
    )
    ours._allocate = None
    (ours._steps,) = _arrays([optimizer.global_step])
    if optimizer.is_group_lr:
        _name_rates(ours, options)
    ours._rebind()
    ours._check_shared = _shared_memory(optimizer).check
    return ours


@ieee()
def to_mindspore(opt: MindSporeAdagrad, optimizer: Any) -> None:
    """Write parameters, state and rates into a live ``mindspore.nn.Adagrad``, which then continues the run of `opt`.

    Memory that both share is left alone.

    Parameters
    ----------
    opt : MindSporeAdagrad
        The source.
    optimizer : mindspore.nn.Adagrad
        The destination. Its parameters have the same names, order, shapes and dtypes. The options that MindSpore
        compiles in, `loss_scale`, `update_slots`, decay and centralization, must be the same, and so must the kind and
        length of the rates. A schedule stays in place.

    Raises
    ------
    TypeError, ValueError
        If the two do not fit; nothing has changed then.

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
        options = live_options(optimizer)
        _check_options(opt, optimizer, options)
        values = [("global_step", optimizer.global_step, opt.global_step)]
        for name, slot, param, accum in zip(opt.names, opt._slots, optimizer.parameters, optimizer.accum, strict=True):
            values += [(name, param, slot.param), (f"accum.{name}", accum, slot.state["accum"])]
        values += [(parameter.name, parameter, rate) for parameter, rate in _fixed_rates(opt, options)]
        _write(values)


def _memory(parameter: Any) -> tuple[Array, bool]:
    """Return a parameter's values, and whether they are its own memory."""
    array: Array = parameter.asnumpy()
    return array, array.flags.writeable and same_memory(array, parameter.asnumpy())


def _shared_memory(optimizer: Any) -> SharedMemory:
    parameters = [*optimizer.parameters, *optimizer.accum, optimizer.global_step]
    shared = [parameter for parameter in parameters if _memory(parameter)[1]]
    labels = [parameter.name for parameter in shared]
    return SharedMemory("from_mindspore", labels, lambda: shared, lambda parameter: parameter.data_ptr())


def _arrays(parameters: Iterable[Any]) -> list[Array]:
    """Return the memory of parameters, or a copy if MindSpore does not share it."""
    arrays = []
    for parameter in parameters:
        array, is_shared = _memory(parameter)
        if not is_shared:
            warnings.warn(
                f"{parameter.name}: copied, as MindSpore does not share its memory; to_mindspore writes it back",
                stacklevel=level_of_user(),
            )
        arrays.append(array if is_shared else array.copy())
    return arrays


def _groups(optimizer: Any, params: list[Array], options: list[ParameterOptions]) -> list[Any]:
    """Return pairs of name and array, in groups if MindSpore has groups: one for each run of equal options."""
    pairs = [(parameter.name, param) for parameter, param in zip(optimizer.parameters, params, strict=True)]
    if not optimizer.is_group:
        return pairs
    groups: list[Group] = []
    equal = groupby(zip(pairs, options, strict=True), lambda item: (id(item[1].rate), *item[1][1:]))
    for _, members in equal:
        run = list(members)
        shared = run[0][1]
        group: Group = {"params": [pair for pair, _ in run], "weight_decay": shared.decay}
        group["grad_centralization"] = shared.centralizes
        groups.append({**group, "lr": live_rate(shared.rate)} if optimizer.is_group_lr else group)
    return groups


def _name_rates(ours: MindSporeAdagrad, options: list[ParameterOptions]) -> None:
    """Give the groups' rates the names that they have in MindSpore's checkpoints."""
    named = {each.rate_name for each in options}
    unused = (name for name in map(group_rate, count()) if name not in named)
    start = 0
    for group in ours.param_groups:
        group["lr_name"] = options[start].rate_name or next(unused)
        start += len(group["params"])
    ours._next_group = len(ours.param_groups) + 1  # MindSpore has no greater number


def _group_of_each(opt: MindSporeAdagrad) -> list[Group]:
    return [group for group in opt.param_groups for _ in group["params"]]


def _check_options(opt: MindSporeAdagrad, optimizer: Any, options: list[ParameterOptions]) -> None:
    """Raise an error for an optimizer that would continue another way."""
    check_same("loss_scale", opt.loss_scale, optimizer.loss_scale)
    check_same("update_slots", opt.update_slots, bool(optimizer.opt.update_slots))
    check_same("groups", opt._grouped, optimizer.is_group)
    for name, group, each in zip(opt.names, _group_of_each(opt), options, strict=True):
        check_same(f"grad_centralization of {name!r}", group["grad_centralization"], each.centralizes)
        ours, theirs = (
            "a schedule" if callable(decay) else np.float32(decay * opt.loss_scale)
            for decay in (group["weight_decay"], each.decay)
        )
        check_same(f"weight_decay * loss_scale of {name!r}", ours, theirs)
        ours, theirs = (
            "a schedule" if has_schedule else "a fixed rate"
            for has_schedule in (callable(group["lr"]), each.rate_name is None)
        )
        check_same(f"learning_rate of {name!r}", ours, theirs)


def _fixed_rates(opt: MindSporeAdagrad, options: list[ParameterOptions]) -> list[tuple[Any, Array]]:
    """Return MindSpore's parameters that hold rates, and their new values; several groups may share one."""
    owners = [(k, group["lr"]) for k, group in enumerate(opt.param_groups) for _ in group["params"]]
    check_shared_rates((each.rate_name, k, rate) for (k, rate), each in zip(owners, options, strict=True))
    rates = {
        id(each.rate): (each.rate, rate_array(rate))
        for (_, rate), each in zip(owners, options, strict=True)
        if not callable(rate)
    }
    return list(rates.values())


def _write(values: list[tuple[str, Any, Array]]) -> None:
    """Check that labelled arrays fit parameters of MindSpore; then write them, those in shared memory in one call."""
    pairs: list[tuple[Array, Array]] = []
    unshared: list[tuple[Any, Array]] = []
    for label, parameter, value in values:
        array, is_shared = _memory(parameter)
        check_fit(label, array, value)
        if not is_shared:
            unshared.append((parameter, value))
        elif not same_memory(array, value):
            pairs.append((array, value))
    copies = []
    if unshared:
        import mindspore

        copies = [(parameter, mindspore.Tensor(value)) for parameter, value in unshared]
    _core.commit([*pairs])
    for parameter, tensor in copies:
        parameter.set_data(tensor)
