"""MindSpore's side of the comparisons, with arrays in and out."""

import os
from collections.abc import Iterable
from typing import Any

os.environ.setdefault("GLOG_v", "3")

import mindspore
import numpy as np
import numpy.typing as npt
from helpers.values import Shape, draw
from mindspore import Parameter, Tensor, nn, ops
from numpy_adagrad.inputs.types import Array

mindspore.set_device("CPU")

# MindSpore flushes subnormals on some of its threads, so neither the data nor the squares and products that
# the update forms of them may come near. Half types are computed in float32 and have no such trouble.
SMALLEST = {"float16": 0.0, "float32": 1e-12, "float64": 1e-100}


@np.errstate(all="ignore")
def draw_normal(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike, kind: str) -> Array:
    """Random values, awkward ones among them, whose results are zero or normal numbers."""
    x = draw(rng, shape, dtype, kind)
    least = x.dtype.type(SMALLEST[x.dtype.name])
    return np.where((abs(x) < least) & (x != 0), np.copysign(least, x), x)


class TableSchedule(nn.learning_rate_schedule.LearningRateSchedule):
    def __init__(self, table: npt.ArrayLike) -> None:
        super().__init__()
        self.table = Tensor(table)

    def construct(self, global_step: Tensor) -> Tensor:
        return self.table[global_step]


class ArithmeticSchedule(nn.learning_rate_schedule.LearningRateSchedule):
    """Written with operators: with NumPy 2 the first of a process fails where MindSpore does not compile it."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = Tensor(rate, mindspore.float32)

    def construct(self, global_step: Any) -> Any:
        return self.rate / (1.0 + global_step * 0.1)


class TableDecay(nn.Cell):
    def __init__(self, table: npt.ArrayLike) -> None:
        super().__init__()
        self.table = Tensor(table)

    def construct(self, global_step: Tensor) -> Tensor:
        return self.table[global_step]


def parameter(name: str, array: Array) -> Parameter:
    return Parameter(Tensor(array.copy()), name=name)


def mindspore_adagrad(params: Iterable[Array | tuple[str, Array]], **arguments: Any) -> nn.Adagrad:
    """nn.Adagrad over arrays, or over (name, array) pairs."""
    pairs = [p if isinstance(p, tuple) else (f"param{i}", p) for i, p in enumerate(params)]
    return nn.Adagrad([parameter(name, array) for name, array in pairs], **arguments)


def mindspore_step(optimizer: nn.Adagrad, grads: Iterable[Array]) -> None:
    optimizer(tuple(Tensor(g.copy()) for g in grads))


def apply_adagrad(param: Array, accum: Array, rate: float, grad: Array) -> tuple[Array, Array]:
    """The new parameter and accumulator of ops.ApplyAdagrad, at the float32 rate of nn.Adagrad."""
    var, slot = parameter("var", param), parameter("accum", accum)
    ops.ApplyAdagrad()(var, slot, Tensor(param.dtype.type(np.float32(rate))), Tensor(grad.copy()))
    return var.asnumpy(), slot.asnumpy()
