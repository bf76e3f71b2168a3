"""A refusal is one exception with one message, compared whole."""

import numpy as np
import pytest
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

RULES = (TorchAdagrad, MindSporeAdagrad)


def zeros(shape=3, dtype=np.float32):
    return np.zeros(shape, dtype)


def accumulator(opt, index):
    return next(value for key, value in opt.state[index].items() if key != "step")


def refuses(error, message, action):
    with pytest.raises(error) as caught:
        action()
    assert type(caught.value) is error
    assert caught.value.args == (message,)
