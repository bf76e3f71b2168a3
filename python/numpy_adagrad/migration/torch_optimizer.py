"""Share a live ``torch.optim.Adagrad`` in its own memory, and write an optimizer of ours into one."""

from __future__ import annotations

from typing import Any

from .. import _core
from ..inputs.rounding import ieee
from ..inputs.row_sparse import RowSparse
from ..inputs.tensors import tensor_rows, to_array
from ..inputs.types import Array
from ..inputs.validation import check_kind, check_same, check_shape, number
from ..optimizers._slots import Existing
from ..optimizers.torch import TorchAdagrad
from .torch_tensors import Pair, filled, filled_rates, is_tensor, own_state, shared, shared_memory

NUMBERS = ("lr_decay", "eps", "weight_decay")
DEFAULTS = ("lr", *NUMBERS, "maximize", "initial_accumulator_value", "differentiable", "fused")


@ieee()
def from_torch(optimizer: Any) -> TorchAdagrad:
    """Make a `TorchAdagrad` over the memory of a live ``torch.optim.Adagrad``.

    Nothing is copied: a step of ours updates torch's parameters, accumulators and step counters, and torch can take
    the next step at any time. Groups, options and names are kept; a rate that is a tensor stays shared. bfloat16
    tensors are shared through a view of their integers.

    A run that switches optimizers this way has the bits of a run by torch alone with ``fused=True``. torch's other
    paths use MKL's square root, whose last bit is wrong for up to 0.7 % of float32 numbers on machines with AVX-512.

    Parameters
    ----------
    optimizer : torch.optim.Adagrad
        Its parameters must be on the CPU. State of a group added later, which torch would create at its next step, is
        created now. A step counter that is not float32 on the CPU (torch with another default dtype or device) is
        replaced by one that is.

    Returns
    -------
    TorchAdagrad
        Its `step` takes the gradients of `torch_grads`.

    Raises
    ------
    TypeError
        For anything other than a ``torch.optim.Adagrad``, or for parameters of a dtype that `TorchAdagrad` does not
        take.
    ValueError
        For parameters that are not strided tensors on the CPU, and for ``differentiable=True``.
    KeyError
        For a key of a group that resembles that of an option, such as ``lrs``, which torch ignores.

    Notes
    -----
    Later changes of the options in torch's groups, for example by a scheduler, have no effect here: change
    `param_groups` of the new optimizer, or call `from_torch` again. Hooks of torch's optimizer are not called. Autograd
    does not notice the updates: take no step between a forward pass and its backward pass.

    Some calls give torch's tensors new memory, among them ``model.share_memory()``, ``parameter.data = ...``,
    ``vector_to_parameters`` and ``load_state_dict`` of torch's optimizer. After one of these, the next call of the new
    optimizer raises ValueError before it changes anything: call `from_torch` again.

    Examples
    --------
    >>> import torch
    >>> from numpy_adagrad import from_torch, torch_grads
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> theirs = torch.optim.Adagrad([w], lr=0.5)
    >>> (w**2).sum().backward()
    >>> ours = from_torch(theirs)
    >>> ours.step(torch_grads(theirs))
    >>> w.tolist()
    [0.5, 1.5]
    """
    check_kind("optimizer", optimizer, "torch.optim", "Adagrad")
    tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    arrays = [shared(tensor, f"params[{i}]") for i, tensor in enumerate(tensors)]
    states = [own_state(optimizer, tensor, f"state[{i}]") for i, tensor in enumerate(tensors)]
    sums = [shared(state["sum"], f"sum[{i}]") for i, state in enumerate(states)]
    by_param = Existing(zip(map(id, arrays), sums, strict=True))

    given = iter(arrays)
    groups = [_group(group, [next(given) for _ in group["params"]]) for group in optimizer.param_groups]
    defaults = {key: to_array(optimizer.defaults[key], key) for key in DEFAULTS if key in optimizer.defaults}
    initial = optimizer.defaults["initial_accumulator_value"]
    ours = TorchAdagrad(
        [{**group, "initial_accumulator_value": initial} for group in groups],
        **defaults,
        allocate=by_param,
    )
    ours._allocate = None
    for own, group in zip(ours.param_groups, groups, strict=True):
        # torch ignores a group's own value, and so does loading; it is kept for to_torch.
        own["initial_accumulator_value"] = group["initial_accumulator_value"]
    for slot, state in zip(ours._slots, states, strict=True):
        slot.state["step"] = state["step"].numpy()
    ours._rebind()
    optimizer.state.update(zip(tensors, states, strict=True))
    ours._check_shared = shared_memory(optimizer).check
    return ours


@ieee()
def to_torch(opt: TorchAdagrad, optimizer: Any) -> None:
    """Write parameters, state and options into a live ``torch.optim.Adagrad``, which then continues the run of `opt`.

    Memory that both share is left alone, so that after `from_torch` only options are written.

    Parameters
    ----------
    opt : TorchAdagrad
        The source. A callable rate is written as the value last used.
    optimizer : torch.optim.Adagrad
        The destination. It has as many groups, with parameters of the same shapes and dtypes, on the CPU.

    Raises
    ------
    TypeError, ValueError
        If the two do not fit, for example for a float32 accumulator of a half parameter; nothing has changed then.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from numpy_adagrad import TorchAdagrad, to_torch
    >>> w = np.array([1.0, 2.0], np.float32)
    >>> ours = TorchAdagrad([w], lr=0.5)
    >>> ours.step([np.array([3.0, -4.0], np.float32)])
    >>> theirs = torch.optim.Adagrad([torch.zeros(2)])
    >>> to_torch(ours, theirs)
    >>> theirs.param_groups[0]["params"], theirs.param_groups[0]["lr"]
    ([tensor([0.5000, 2.5000])], 0.5)
    """
    check_kind("opt", opt, "numpy_adagrad", "TorchAdagrad")
    check_kind("optimizer", optimizer, "torch.optim", "Adagrad")
    with opt._lock:
        opt._prepare_transfer()
        _check_groups(opt, optimizer)
        tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
        states = [own_state(optimizer, tensor, f"state[{i}]") for i, tensor in enumerate(tensors)]
        pairs: list[Pair] = []
        for i, (slot, tensor, state) in enumerate(zip(opt._slots, tensors, states, strict=True)):
            pairs += filled(f"params[{i}]", tensor, slot.param)
            pairs += filled(f"sum[{i}]", state["sum"], slot.state["sum"])
            pairs += filled(f"step[{i}]", state["step"], slot.state["step"])
        rates = [number(opt._saved_value(k, "lr"), "lr") for k in range(len(opt.param_groups))]
        pairs += filled_rates(optimizer.param_groups, rates)
        for own, group, rate in zip(opt.param_groups, optimizer.param_groups, rates, strict=True):
            options: dict[str, Any] = {key: number(own[key], key) for key in NUMBERS}
            options["maximize"] = bool(own["maximize"])
            if not is_tensor(group["lr"]):
                options["lr"] = rate
            pairs.append((group, options))
        optimizer.state.update(zip(tensors, states, strict=True))
        _core.commit(pairs)


def torch_grads(optimizer: Any) -> list[Array | RowSparse | None]:
    """Return the gradients of a torch optimizer's parameters, in the form that `step` takes.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        The ``grad`` of each of its parameters is returned, flat over all groups.

    Returns
    -------
    list
        Arrays over torch's own memory, a `RowSparse` for a sparse COO gradient, None for a parameter without one.

    Raises
    ------
    TypeError, ValueError
        For a gradient that is no such array, that is sparse in several dimensions, or that is sparse and has another
        shape than its parameter.

    Examples
    --------
    >>> import torch
    >>> from numpy_adagrad import torch_grads
    >>> w = torch.ones(2, requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> torch_grads(torch.optim.Adagrad([w]))
    [array([3., 3.], dtype=float32)]
    """
    check_kind("optimizer", optimizer, "torch.optim", "Optimizer")
    tensors = (tensor for group in optimizer.param_groups for tensor in group["params"])
    return [_grad_of(tensor, f"grads[{i}]") for i, tensor in enumerate(tensors)]


def _grad_of(tensor: Any, label: str) -> Array | RowSparse | None:
    grad = tensor.grad
    if grad is None or not grad.is_sparse:
        array: Array | None = to_array(grad, label)
        return array
    check_shape(label, tuple(tensor.shape), tuple(grad.shape))  # a step cannot: a RowSparse has no number of rows
    return RowSparse(*tensor_rows(grad, label))


def _group(group: dict[str, Any], arrays: list[Array]) -> dict[str, Any]:
    """Return a group of torch as one of ours, which has one path only."""
    options = {key: to_array(value, key) for key, value in group.items() if key != "params"}
    return {"initial_accumulator_value": 0, **options, "params": arrays, "foreach": None}


def _check_groups(opt: TorchAdagrad, optimizer: Any) -> None:
    ours, theirs = ([len(group["params"]) for group in one.param_groups] for one in (opt, optimizer))
    check_same("sizes of groups", ours, theirs)
    names = [name for group in optimizer.param_groups for name in group.get("param_names", [])]
    if opt.names and names:
        check_same("names", opt.names, names)
