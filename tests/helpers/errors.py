"""A refusal is one exception with one message, compared whole."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer

Rule: TypeAlias = type[TorchAdagrad] | type[MindSporeAdagrad]
RULES = (TorchAdagrad, MindSporeAdagrad)


def zeros(shape: int | tuple[int, ...] = 3, dtype: npt.DTypeLike = np.float32) -> Array:
    return np.zeros(shape, dtype)


def accumulator(opt: Optimizer, index: int) -> Array:
    return next(value for key, value in opt.state[index].items() if key != "step")


def refuses(error: type[Exception], message: str, action: Callable[[], object]) -> None:
    with pytest.raises(error) as caught:
        action()
    assert type(caught.value) is error
    assert caught.value.args == (message,)
