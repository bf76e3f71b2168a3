"""What is stepped: lists of arrays by name."""

import math
from typing import NamedTuple

import numpy as np

from ..inputs.types import Array

Shapes = list[tuple[int, ...]]


class Workload(NamedTuple):
    """The arrays of one step and the options that change what it has to do."""

    name: str
    shapes: Shapes
    dtype: str = "float32"
    state: str = ""  # the accumulators' dtype where it is not that of the parameters
    max_norm: float | None = None

    @property
    def kind(self) -> str:
        """What decides who takes part."""
        return "clipped" if self.max_norm is not None else f"{self.dtype}/{self.state}".rstrip("/")

    @property
    def state_dtype(self) -> np.dtype[np.generic]:
        """The dtype of the accumulators."""
        return dtype_of(self.state or self.dtype)

    @property
    def elements(self) -> int:
        """How many elements the parameters have in all."""
        return count_elements(self.shapes)

    @property
    def floor_bytes(self) -> int:
        """What the floor moves for an element: the gradient read, parameter and accumulator read and written."""
        return 3 * dtype_of(self.dtype).itemsize + 2 * self.state_dtype.itemsize

    @property
    def element_bytes(self) -> int:
        """What a step must move for an element; for its norm the gradient is read once more."""
        return self.floor_bytes + (dtype_of(self.dtype).itemsize if self.max_norm is not None else 0)

    @property
    def bytes(self) -> int:
        """What a step must move in all."""
        return self.elements * self.element_bytes

    @property
    def yardstick(self) -> float:
        """The time of a step that is bound by memory alone, in times of the floor's."""
        return self.element_bytes / self.floor_bytes


def dtype_of(name: str) -> np.dtype[np.generic]:
    """NumPy's own dtypes by name, and bfloat16."""
    if name == "bfloat16":
        import ml_dtypes

        name = ml_dtypes.bfloat16
    return np.dtype(name)


def random_arrays(workload: Workload, seed: int) -> list[Array]:
    """Normal numbers in the workload's shapes and dtype."""
    rng = np.random.default_rng(seed)
    dtype = dtype_of(workload.dtype)
    drawn = np.float64 if dtype == np.float64 else np.float32
    return [rng.standard_normal(shape, drawn).astype(dtype, copy=False) for shape in workload.shapes]


def count_elements(shapes: Shapes) -> int:
    """How many elements arrays of these shapes have in all."""
    return sum(math.prod(shape) for shape in shapes)


def resnet50() -> Shapes:
    """The shapes of ResNet-50: convolutions without bias, each with the two vectors of its batch norm."""
    shapes: Shapes = []

    def convolution(out_channels: int, in_channels: int, size: int) -> None:
        shapes.extend([(out_channels, in_channels, size, size), (out_channels,), (out_channels,)])

    convolution(64, 3, 7)
    channels = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            convolution(width, channels, 1)
            convolution(width, width, 3)
            convolution(4 * width, width, 1)
            if block == 0:
                convolution(4 * width, channels, 1)
            channels = 4 * width
    shapes.extend([(1000, channels), (1000,)])
    assert len(shapes) == 161
    assert count_elements(shapes) == 25_557_032
    return shapes


def gpt2() -> Shapes:
    """The shapes of GPT-2 small: two embeddings, twelve blocks, the last layer norm."""
    width = 768
    norm: Shapes = [(width,), (width,)]

    def linear(inputs: int, outputs: int) -> Shapes:
        return [(inputs, outputs), (outputs,)]

    attention = linear(width, 3 * width) + linear(width, width)
    perceptron = linear(width, 4 * width) + linear(4 * width, width)
    shapes = [(50257, width), (1024, width), *(12 * (norm + attention + norm + perceptron)), *norm]
    assert len(shapes) == 148
    assert count_elements(shapes) == 124_439_808
    return shapes


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("1e3", [(10**3,)]),
        Workload("1e4", [(10**4,)]),
        Workload("16K", [(2**14,)]),
        Workload("1e5", [(10**5,)]),
        Workload("1e6", [(10**6,)]),
        Workload("1e7", [(10**7,)]),
        Workload("1e8", [(10**8,)]),
        Workload("resnet50", resnet50()),
        Workload("gpt2", gpt2()),
        Workload("2000x256", [(256,)] * 2000),
        Workload("f64 1e6", [(10**6,)], "float64"),
        Workload("f64 1e8", [(10**8,)], "float64"),
        Workload("bf16 1e5", [(10**5,)], "bfloat16"),
        Workload("bf16 1e7", [(10**7,)], "bfloat16"),
        Workload("bf16 1e8", [(10**8,)], "bfloat16"),
        Workload("bf16/f32 state 1e7", [(10**7,)], "bfloat16", "float32"),
        Workload("bf16/f32 state 1e8", [(10**8,)], "bfloat16", "float32"),
        Workload("clipped 1e5", [(10**5,)], max_norm=1.0),
        Workload("clipped 1e7", [(10**7,)], max_norm=1.0),
        Workload("clipped 1e8", [(10**8,)], max_norm=1.0),
    )
}
