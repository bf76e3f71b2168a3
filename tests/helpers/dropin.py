"""Two equal sets of tensors, one with our optimizer and one with torch's fused one, and their comparison."""

from collections.abc import Sequence
from typing import Any

import torch
from helpers.bits import assert_same_bits
from helpers.torch_arrays import to_numpy
from numpy_adagrad.torch import Adagrad

SIZES: list[tuple[int, ...]] = [(), (0,), (1,), (2, 3), (15,), (16,), (17,), (33,), (4, 1, 5), (70,)]


def draw(shapes: Sequence[tuple[int, ...]], dtype: torch.dtype, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.complex128 if dtype.is_complex else torch.float64
    return [torch.randn(shape, dtype=drawn, generator=generator).to(dtype) for shape in shapes]


def parameters(shapes: Sequence[tuple[int, ...]] = SIZES, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    return [tensor.requires_grad_() for tensor in draw(shapes, dtype, 0)]


def set_grads(params: Sequence[torch.Tensor], seed: int, *, without: Sequence[int] = ()) -> None:
    grads = draw([tuple(param.shape) for param in params], params[0].dtype, seed)
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        param.grad = None if i in without else grad


def pair(
    shapes: Sequence[tuple[int, ...]] = SIZES, dtype: torch.dtype = torch.float32, **options: Any
) -> tuple[list[torch.Tensor], Adagrad, list[torch.Tensor], torch.optim.Adagrad]:
    """Parameters and our optimizer, and the same with torch's fused one."""
    ours, theirs = parameters(shapes, dtype), parameters(shapes, dtype)
    return ours, Adagrad(ours, **options), theirs, torch.optim.Adagrad(theirs, fused=True, **options)


def assert_same(optimizer: torch.optim.Optimizer, expected: torch.optim.Optimizer) -> None:
    """The parameters, the gradients and the state of two optimizers have the same bits."""
    for k, (group, other) in enumerate(zip(optimizer.param_groups, expected.param_groups, strict=True)):
        for i, (param, reference) in enumerate(zip(group["params"], other["params"], strict=True)):
            assert_same_bits(to_numpy(param), to_numpy(reference), f"group {k}, parameter {i}")
            state, theirs = optimizer.state.get(param, {}), expected.state.get(reference, {})
            assert list(state) == list(theirs)
            for key in state:
                assert_same_bits(to_numpy(state[key]), to_numpy(theirs[key]), f"group {k}, {key} {i}")


def contents(params: list[torch.Tensor], optimizer: Any) -> list[bytes]:
    """The bytes of all parameters, accumulators and counters on the CPU."""
    tensors = [*params, *(optimizer.state[param][key] for param in params for key in ("sum", "step"))]
    return [tensor.detach().contiguous().numpy().tobytes() for tensor in tensors if tensor.device.type == "cpu"]
