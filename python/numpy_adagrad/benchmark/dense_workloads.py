"""Workloads with a gradient for every element: lists of arrays by name."""

import math
from typing import NamedTuple

import numpy as np

from ..inputs.types import Array

Shapes = list[tuple[int, ...]]


class DenseWorkload(NamedTuple):
    """The arrays of one step, and the options that add work to it."""

    name: str
    shapes: Shapes
    dtype: str = "float32"
    state: str = ""  # the dtype of the accumulators where it differs from `dtype`
    max_norm: float | None = None

    @property
    def kind(self) -> str:
        """Return the property of the workload that a candidate must support."""
        return "clipped" if self.max_norm is not None else f"{self.dtype}/{self.state}".rstrip("/")

    @property
    def state_dtype(self) -> np.dtype[np.generic]:
        """Return the dtype of the accumulators."""
        return dtype_of(self.state or self.dtype)

    @property
    def elements(self) -> int:
        """Return the number of elements in all arrays."""
        return count_elements(self.shapes)

    @property
    def element_bytes(self) -> int:
        """Return the bytes per element of a step, which reads three arrays and writes two.

        Clipping reads the gradient a second time, for its norm.
        """
        reads = 3 if self.max_norm is None else 4
        return reads * dtype_of(self.dtype).itemsize + 2 * self.state_dtype.itemsize

    @property
    def bytes(self) -> int:
        """Return the bytes that a step has to read and write."""
        return self.elements * self.element_bytes


def dtype_of(name: str) -> np.dtype[np.generic]:
    """Return a NumPy dtype by its name, bfloat16 included."""
    if name == "bfloat16":
        import ml_dtypes

        name = ml_dtypes.bfloat16
    return np.dtype(name)


def random_arrays(workload: DenseWorkload, seed: int) -> list[Array]:
    """Return normally distributed numbers in the shapes and the dtype of a workload."""
    rng = np.random.default_rng(seed)
    dtype = dtype_of(workload.dtype)
    drawn = np.float64 if dtype == np.float64 else np.float32
    return [rng.standard_normal(shape, drawn).astype(dtype, copy=False) for shape in workload.shapes]


def count_elements(shapes: Shapes) -> int:
    """Return the number of elements in arrays of these shapes."""
    return sum(math.prod(shape) for shape in shapes)


def resnet50() -> Shapes:
    """Return the shapes of ResNet-50: convolutions without bias, each followed by the two vectors of its batch norm."""
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
    """Return the shapes of GPT-2 small: two embeddings, twelve blocks, the last layer norm."""
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


DENSE_WORKLOADS = {
    workload.name: workload
    for workload in (
        DenseWorkload("1e3", [(10**3,)]),
        DenseWorkload("1e4", [(10**4,)]),
        DenseWorkload("16K", [(2**14,)]),
        DenseWorkload("1e5", [(10**5,)]),
        DenseWorkload("1e6", [(10**6,)]),
        DenseWorkload("3e6", [(3 * 10**6,)]),
        DenseWorkload("1e7", [(10**7,)]),
        DenseWorkload("1e8", [(10**8,)]),
        DenseWorkload("resnet50", resnet50()),
        DenseWorkload("gpt2", gpt2()),
        DenseWorkload("2000x256", [(256,)] * 2000),
        DenseWorkload("f64 1e6", [(10**6,)], "float64"),
        DenseWorkload("f64 1e8", [(10**8,)], "float64"),
        DenseWorkload("bf16 1e5", [(10**5,)], "bfloat16"),
        DenseWorkload("bf16 1e7", [(10**7,)], "bfloat16"),
        DenseWorkload("bf16 1e8", [(10**8,)], "bfloat16"),
        DenseWorkload("bf16/f32 state 1e7", [(10**7,)], "bfloat16", "float32"),
        DenseWorkload("bf16/f32 state 1e8", [(10**8,)], "bfloat16", "float32"),
        DenseWorkload("clipped 1e5", [(10**5,)], max_norm=1.0),
        DenseWorkload("clipped 1e7", [(10**7,)], max_norm=1.0),
        DenseWorkload("clipped 1e8", [(10**8,)], max_norm=1.0),
    )
}
