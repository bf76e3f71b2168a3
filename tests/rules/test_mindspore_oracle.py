"""The oracle of the MindSpore rule against mindspore.nn.Adagrad and, in float64, ops.ApplyAdagrad, bit for bit."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.mindspore_arrays import apply_adagrad, draw_normal, mindspore_adagrad, mindspore_step
from helpers.oracle import mindspore_update
from helpers.values import KINDS

SHAPES = [(), (1,), (17,), (5, 7), (4099,)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("seed", range(3))
def test_float16_and_float32(seed: int, dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(seed)
    hyper: dict[str, Any] = {"weight_decay": [0.0, 0.01, 0.3][seed], "loss_scale": [1.0, 1024.0, 3.7][seed]}
    rate, start = 10 ** rng.uniform(-3, 0), [0.1, 1e-3, 0.0][seed]
    params = [draw_normal(rng, shape, dtype, kind) for shape in SHAPES]
    accums = [np.full_like(p, start) for p in params]
    optimizer = mindspore_adagrad(params, accum=start, learning_rate=rate, **hyper)
    for step in range(4):
        grads = [draw_normal(rng, shape, dtype, kind) for shape in SHAPES]
        mindspore_step(optimizer, grads)
        for i, (p, s, g) in enumerate(zip(params, accums, grads, strict=True)):
            mindspore_update(p, s, g, rate=rate, **hyper)
            assert_same_bits(p, optimizer.parameters[i].asnumpy(), f"parameter {i}, step {step}, {hyper}")
            assert_same_bits(s, optimizer.accum[i].asnumpy(), f"accumulator {i}, step {step}, {hyper}")


@pytest.mark.parametrize("kind", KINDS)
def test_float64(kind: str) -> None:
    rng, rate = np.random.default_rng(4), 0.123
    for shape in SHAPES:
        p, s, g = (draw_normal(rng, shape, "float64", kind) for _ in range(3))
        s = np.asarray(abs(s))
        expected = apply_adagrad(p, s, rate, g)
        mindspore_update(p, s, g, rate=rate)
        assert_same_bits(p, expected[0], f"parameter {shape}")
        assert_same_bits(s, expected[1], f"accumulator {shape}")
