"""All that an optimizer holds, as plain values: to see that a call has changed nothing."""

from typing import Any

import numpy as np
from numpy_adagrad import RowSparse
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer


def frozen(value: Any) -> Any:
    """A value that later changes to its arrays and containers cannot reach."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, RowSparse):
        return frozen([value.indices, value.values])
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [frozen(item) for item in value]
    return value


def counters(optimizer: Optimizer) -> list[Array]:
    """The step counters: one for each parameter, or one for all, as the rule counts."""
    return optimizer._counters(optimizer._slots)


def contents(optimizer: Optimizer) -> dict[str, Any]:
    """All that an optimizer has in common with its copy, or after loading a checkpoint with the parameters."""
    held = {
        "param_groups": optimizer.param_groups,
        "state": {i: dict(state) for i, state in optimizer.state.items()},
        "counters": counters(optimizer),
        "names": optimizer.names,
        "skipped_steps": optimizer.skipped_steps,
    }
    return {key: frozen(value) for key, value in held.items()}


def snapshot(optimizer: Optimizer, grads: Any = ()) -> dict[str, Any]:
    """The contents, which arrays hold them, the last norm, and the gradients of a call."""
    arrays = [[id(param) for param in group["params"]] for group in optimizer.param_groups]
    own = {"arrays": arrays, "grad_norm": repr(optimizer.grad_norm), "grads": frozen(grads)}
    return contents(optimizer) | own
