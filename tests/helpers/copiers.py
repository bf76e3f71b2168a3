"""Ways to copy an optimizer, and optimizers to copy."""

import copy
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from helpers.dialects import DIALECTS, Dialect
from helpers.random_step import falling
from helpers.values import bfloat16, draw
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array

Copier: TypeAlias = Callable[[Any], Any]
Maker: TypeAlias = Callable[[list[Array]], Any]


def pickled(value: Any, protocol: int) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


COPIERS: dict[str, Copier] = {"deepcopy": copy.deepcopy}
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    COPIERS[f"pickle {protocol}"] = partial(pickled, protocol=protocol)


def received(value: Any, arrive: Callable[[bytes], Any]) -> Any:
    """Arrays travel apart from the rest, as Ray and Dask send them."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, 5, buffer_callback=buffers.append)
    assert buffers
    return pickle.loads(data, buffers=[arrive(buffer.raw().tobytes()) for buffer in buffers])


def misaligned(data: bytes) -> memoryview:
    return memoryview(bytearray(b" " + data))[1:]


def misaligned_read_only(data: bytes) -> memoryview:
    return memoryview(b" " + data)[1:]


each_writeable_copier = pytest.mark.parametrize("duplicate", list(COPIERS.values()), ids=list(COPIERS))

for arrive in (bytes, bytearray, misaligned, misaligned_read_only):
    COPIERS[f"buffers: {arrive.__name__}"] = partial(received, arrive=arrive)
each_copier = pytest.mark.parametrize("duplicate", COPIERS.values(), ids=COPIERS)

SHAPES = [(), (0,), (7,), (4, 5)]


def draw_all(dtypes: Sequence[npt.DTypeLike] = ("float32", "float64", "float16", bfloat16)) -> list[Array]:
    rng = np.random.default_rng(1)
    return [draw(rng, shape, dtype, "normal") for shape, dtype in zip(SHAPES, dtypes, strict=True)]


def torch_plain(params: list[Array]) -> TorchAdagrad:
    return TorchAdagrad(params, lr=np.array(0.3), lr_decay=0.1, initial_accumulator_value=0.5)


def torch_groups(params: list[Array]) -> TorchAdagrad:
    groups = [{"params": params[:3], "lr": falling}, {"params": params[3:], "weight_decay": 0.1, "maximize": True}]
    return TorchAdagrad(groups)


def torch_named(params: list[Array]) -> TorchAdagrad:
    return TorchAdagrad({f"w{i}": param for i, param in enumerate(params)}, lr=0.3)


def mindspore_plain(params: list[Array]) -> MindSporeAdagrad:
    return MindSporeAdagrad(params, learning_rate=[0.5, 0.3, 0.1, 0.7, 0.9], loss_scale=3.7, weight_decay=0.1)


def mindspore_groups(params: list[Array]) -> MindSporeAdagrad:
    order = {"order_params": params[::-1]}
    groups = [{"params": params[:2], "lr": falling}, {"params": params[2:], "weight_decay": falling}]
    return MindSporeAdagrad([*groups, order], update_slots=False)


def plain(dialect: Dialect, params: list[Array]) -> Any:
    return dialect.make(params, weight_decay=0.1)


def named_groups(dialect: Dialect, params: list[Array]) -> Any:
    named = {f"w{i}": param for i, param in enumerate(params)}
    groups = [{"params": dict(list(named.items())[:2]), dialect.group_rate: falling}]
    return dialect.make([*groups, {"params": dict(list(named.items())[2:])}])


MAKERS: dict[str, Maker] = {
    make.__name__: make for make in (torch_plain, torch_groups, torch_named, mindspore_plain, mindspore_groups)
}
for rule, dialect in DIALECTS.items():
    MAKERS |= {f"{rule} {make.__name__}": partial(make, dialect) for make in (plain, named_groups)}
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
