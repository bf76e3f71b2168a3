"""What is stepped: lists of float32 arrays by name."""

import math

import numpy as np


def resnet50():
    """The shapes of ResNet-50: convolutions without bias, each with the two vectors of its batch norm."""
    shapes = []

    def convolution(out_channels, in_channels, size):
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
    assert elements(shapes) == 25_557_032
    return shapes


def elements(shapes):
    return sum(math.prod(shape) for shape in shapes)


WORKLOADS = {
    "1e3": [(1_000,)],
    "1e4": [(10_000,)],
    "1e5": [(100_000,)],
    "1e6": [(1_000_000,)],
    "1e7": [(10_000_000,)],
    "resnet50": resnet50(),
    "2000x256": [(256,)] * 2000,
}


def random_arrays(shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, np.float32) for shape in shapes]
