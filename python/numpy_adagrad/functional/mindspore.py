"""The stateless form of MindSpore's rule."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..inputs.memmap import check_arrays
from ..inputs.row_sparse import RowSparse
from ..inputs.types import Array, Number
from ..inputs.validation import flag, number


def apply_adagrad(var: Array, accum: Array, lr: Number, grad: Array | RowSparse, update_slots: bool = True) -> None:
    """Take one step of `MindSporeAdagrad` in place, as ``mindspore.ops.ApplyAdagrad`` does.

    ``accum = accum + grad * grad`` if `update_slots`; then
    ``var = var - (lr * grad) * (1 / sqrt(accum + 1e-8))``. float16 and bfloat16 are computed in float32, as in
    ``mindspore.nn.Adagrad``, and `lr` is rounded to float32.

    Parameters
    ----------
    var, accum, grad : array
        Parameter, accumulator and gradient; the shapes must be equal, and the dtypes are those that
        `MindSporeAdagrad` accepts. The gradient may be sparse, as there.
    lr : float
        The learning rate.
    update_slots : bool, default True
        If False, `accum` does not change.

    Raises
    ------
    TypeError, ValueError, IndexError
        If an argument is invalid. Nothing has changed then.

    References
    ----------
    ``mindspore.ops.ApplyAdagrad`` of MindSpore 2.10.0.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad.functional import apply_adagrad
    >>> w, s = np.ones(2, np.float32), np.zeros(2, np.float32)
    >>> apply_adagrad(w, s, 0.5, np.array([2, -2], np.float32))
    >>> w, s
    (array([0.5, 1.5], dtype=float32), array([4., 4.], dtype=float32))
    """
    roles = ("var", "accum", "grad", "global_step")
    counter, index = np.zeros(1, np.int32), np.zeros(1, np.int32)
    group = {
        "params": [var],
        "lr": number(lr, "lr"),
        "weight_decay": 0.0,
        "decays": False,
        "update_slots": flag(update_slots, "update_slots"),
        "unscale": 1.0,
        "grad_centralization": False,
    }
    plan = _core.Plan("mindspore", roles, indexed=False)
    plan.add_groups([group], [accum], [counter], [], index)
    check_arrays([("var", var), ("accum", accum)])
    if plan.step([group], [grad], None) != _core.DONE:
        raise RuntimeError("var: expected the same array throughout a step, got another")
