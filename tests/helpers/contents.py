"""All that an optimizer holds, as plain values: to see that a refused call has changed nothing."""

from typing import Any

import numpy as np
from numpy_adagrad.optimizers._base import Optimizer


def frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [frozen(item) for item in value]
    return value


def contents(optimizer: Optimizer) -> Any:
    states = {i: dict(state) for i, state in optimizer.state.items()}
    counter = getattr(optimizer, "global_step", None)
    return frozen([optimizer.param_groups, states, optimizer.names, counter, optimizer.skipped_steps])
