"""The layout of parameter and gradient never changes a bit."""

from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt
from helpers.bits import assert_same_bits
from helpers.check_step import plain
from helpers.dialects import Dialect
from helpers.layouts import Layout, laid_out, layouts, shapes
from helpers.values import KINDS, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_adagrad.functional import adagrad, apply_adagrad
from numpy_adagrad.inputs.types import Array

Tensor: TypeAlias = list[tuple[Array, Layout]]

REALS = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
COMPLEX = [np.complex64, np.complex128]
OPTIONS: dict[str, Any] = {"lr": 0.037, "weight_decay": 0.013, "lr_decay": 0, "eps": 1e-10, "maximize": True}


@st.composite
def cases(draw_one: st.DrawFn, dtypes: list[npt.DTypeLike]) -> list[Tensor]:
    """Arrays in C order with a layout for each: parameters, and gradients for two steps."""
    dtype = np.dtype(draw_one(st.sampled_from(dtypes)))
    rng, kind = np.random.default_rng(draw_one(st.integers(0, 99))), draw_one(st.sampled_from(KINDS))
    tensors = []
    for shape in draw_one(st.lists(shapes, min_size=1, max_size=3)):
        arrays = [draw(rng, shape, dtype, kind) for _ in range(3)]
        tensors.append([(array, draw_one(layouts(len(shape)))) for array in arrays])
    return tensors


def both(tensors: list[Tensor]) -> tuple[list[list[Array]], list[list[Array]]]:
    """The tensors in C order and as laid out."""
    ordinary = [[plain(array) for array, _ in tensor] for tensor in tensors]
    strided = [[laid_out(array, layout) for array, layout in tensor] for tensor in tensors]
    return ordinary, strided


def check(
    dialect: Dialect, tensors: list[Tensor], scaling: dict[str, Any], *, group: dict[str, Any], **options: Any
) -> None:
    """Two steps on the tensors in C order and as laid out give the same bits."""
    seen = []
    for laid in both(tensors):
        params = [tensor[0] for tensor in laid]
        opt = dialect.make([{"params": params, **group}] if group else params, **options)
        for step in (1, 2):
            opt.step([tensor[step] for tensor in laid], **scaling)
        seen.append(([plain(p) for p in params], [plain(accum) for accum in dialect.accumulators(opt)], opt))
    (params, accums, ordinary), (strided_params, strided_accums, strided) = seen
    for i in range(len(params)):
        assert_same_bits(strided_params[i], params[i], f"parameter {i}")
        assert_same_bits(strided_accums[i], accums[i], f"accumulator {i}")
    if scaling.get("max_norm") is not None:
        assert_same_bits(np.float64(strided.grad_norm), np.float64(ordinary.grad_norm), "norm")


scalings = st.fixed_dictionaries(
    {}, optional={"max_norm": st.sampled_from([1e-3, 0.7, 30.0]), "grad_scale": st.sampled_from([0.3, 1024.0])}
)


@settings(deadline=None, max_examples=400)
@given(data=st.data(), scaling=scalings)
def test_layouts(dialect: Dialect, data: st.DataObject, scaling: dict[str, Any]) -> None:
    tensors = data.draw(cases([*REALS, *COMPLEX] if dialect.takes_complex else REALS))
    options, group = data.draw(st.sampled_from(dialect.variants))
    check(dialect, tensors, scaling, group=group, **options)


@settings(deadline=None, max_examples=200)
@given(cases(REALS))
def test_stateless_forms(tensors: list[Tensor]) -> None:
    """Here the accumulators come from the caller, in any layout too."""
    ordinary, strided = both(tensors)
    for laid in (ordinary, strided):
        counters = [np.zeros((), np.float32) for _ in laid]
        params, accums, grads = zip(*laid, strict=True)
        adagrad(params, grads, accums, counters, **OPTIONS)
        for param, accum, grad in laid:
            apply_adagrad(param, accum, 0.037, grad)
    for i, (expected, actual) in enumerate(zip(ordinary, strided, strict=True)):
        for name, wanted, got in zip(("parameter", "accumulator", "gradient"), expected, actual, strict=True):
            assert_same_bits(plain(got), wanted, f"{name} {i}")


def test_every_order_of_axes_of_a_large_array(dialect: Dialect) -> None:
    """Enough elements for several threads, whose parts begin within a block."""
    rng = np.random.default_rng(1)
    shape = (32, 48, 91)
    whole, (_, group) = "whole", dialect.variants[-1]
    for axes in [(0, 1, 2), (2, 1, 0), (1, 2, 0)]:
        for steps in [(1, 1, 1), (-1, 2, 1)]:
            tensor: Tensor = [
                (draw(rng, shape, np.float32, "normal"), (axes, steps, (1, 0, 2), whole)),
                (draw(rng, shape, np.float32, "normal"), (axes[::-1], steps[::-1], (0, 0, 0), whole)),
                (draw(rng, shape, np.float32, "normal"), ((1, 0, 2), (1, 1, -2), (0, 0, 0), whole)),
            ]
            check(dialect, [tensor], {"max_norm": 0.7}, group=group)
