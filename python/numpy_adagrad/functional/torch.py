"""The stateless form of torch's rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import _core
from ..inputs.memmap import check_arrays
from ..inputs.row_sparse import RowSparse
from ..inputs.types import Array, Number
from ..inputs.validation import flag, number, positive_scale
from ..optimizers.torch import check_path


def adagrad(
    params: Sequence[Array],
    grads: Sequence[Array | RowSparse],
    state_sums: Sequence[Array],
    state_steps: Sequence[Array],
    fused: bool | None = None,
    grad_scale: Number | None = None,
    found_inf: Number | None = None,
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: Number,
    weight_decay: Number,
    lr_decay: Number,
    eps: Number,
    maximize: bool,
) -> None:
    """Take one step of `TorchAdagrad` in place, as ``torch.optim.adagrad.adagrad`` does.

    ``t = t + 1``, ``g = -g`` if `maximize`, ``g = g + weight_decay * p``, ``s = s + g * g``; then
    ``p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)``.

    Parameters
    ----------
    params, grads, state_sums : sequences of arrays
        Parameters, their gradients and their accumulators; the shapes must be equal, and the dtypes are those that
        `TorchAdagrad` accepts. Gradients may be sparse, as there.
    state_steps : sequence of arrays
        The number of steps of each parameter: writeable float32 arrays of shape ().
    fused, foreach, differentiable : bool or None
        As in `TorchAdagrad`.
    grad_scale : float, optional
        The gradients are divided by it first. They are only read; torch writes the quotient back into them.
    found_inf : float, optional
        If it is not 0, the step changes nothing.
    has_sparse_grad : bool, default False
        Accepted for API compatibility: sparse gradients are recognised by their type, `RowSparse` or SciPy's.
        True raises RuntimeError beside ``fused=True``, as in torch.
    has_complex : bool, default False
        Accepted for API compatibility; complex parameters are recognised by their dtype.
    lr, weight_decay, lr_decay, eps : float
        As in `TorchAdagrad`. They are required, as in torch.
    maximize : bool
        As in `TorchAdagrad`. It is required, as in torch.

    Raises
    ------
    TypeError, ValueError, IndexError, RuntimeError
        If an argument is invalid. Nothing has changed then.

    References
    ----------
    The rule is that of `TorchAdagrad`: ``torch/optim/adagrad.py`` in torch 2.13.0.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.functional import adagrad
    >>> p, g, s, t = np.ones(2), np.array([2.0, -2.0]), np.zeros(2), np.zeros((), np.float32)
    >>> adagrad([p], [g], [s], [t], lr=0.5, weight_decay=0, lr_decay=0, eps=0, maximize=False)
    >>> p, s, t
    (array([0.5, 1.5]), array([4., 4.]), array(1., dtype=float32))
    """
    check_path({"fused": fused, "foreach": foreach, "differentiable": differentiable})
    if flag(has_sparse_grad, "has_sparse_grad") and fused:
        raise RuntimeError("`fused` does not support sparse grad")
    scale = 1.0 if grad_scale is None else positive_scale(grad_scale)
    options = {
        "lr": number(lr, "lr"),
        "lr_decay": number(lr_decay, "lr_decay"),
        "eps": number(eps, "eps"),
        "weight_decay": number(weight_decay, "weight_decay"),
        "maximize": flag(maximize, "maximize"),
        "decays_sparse": False,
    }
    given = {"params": params, "grads": grads, "state_sums": state_sums, "state_steps": state_steps}
    for name, arrays in given.items():
        if not isinstance(arrays, Iterable) or getattr(arrays, "ndim", 1) == 0:
            raise TypeError(f"{name}: expected a sequence of arrays, got {type(arrays).__name__}")
    # Each is read once: a sequence may make a new view at every look-up.
    read: dict[str, list[Any]] = {name: list(arrays) for name, arrays in given.items()}
    params, grads = read["params"], read["grads"]
    for name, arrays in read.items():
        if len(arrays) != len(params):
            raise ValueError(f"{name}: expected {len(params)}, one for each parameter, got {len(arrays)}")
    for i, grad in enumerate(grads):
        if grad is None:
            raise TypeError(f"grads[{i}]: expected a NumPy array, got NoneType")
    groups = [{**options, "params": params}]
    check_arrays((f"{name}[{i}]", array) for name, arrays in read.items() for i, array in enumerate(arrays))
    roles = ("params", "state_sums", "grads", "state_steps")
    index = np.zeros(len(params), np.int32)
    plan = _core.Plan("torch", roles)
    plan.add_groups(groups, read["state_sums"], read["state_steps"], [], index)
    if found_inf is None or number(found_inf, "found_inf") == 0:
        outcome = plan.step(groups, grads, None, (scale,))
        if outcome != _core.DONE:
            raise RuntimeError("params: expected the same arrays throughout a step, got others")
