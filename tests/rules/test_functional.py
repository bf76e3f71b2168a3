"""The stateless forms beside torch.optim.adagrad.adagrad and mindspore.ops.ApplyAdagrad, bit for bit."""

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.contents import frozen
from helpers.mindspore_arrays import apply_adagrad as mindspore_apply
from helpers.mindspore_arrays import draw_normal
from helpers.oracle import mindspore_update
from helpers.torch_arrays import to_numpy, to_torch
from helpers.values import KINDS, bfloat16, draw
from mindspore import Parameter, Tensor, ops
from numpy_adagrad import MindSporeAdagrad
from numpy_adagrad.functional import adagrad, apply_adagrad
from numpy_adagrad.inputs.types import Array

# The name `torch.optim.adagrad` is also that of a function, so the module must be asked for.
torch_adagrad = importlib.import_module("torch.optim.adagrad").adagrad

SHAPES = [(), (0,), (1,), (33,), (4, 5)]
OPTIONS: dict[str, Any] = {"lr": 0.3, "weight_decay": 0.0, "lr_decay": 0.0, "eps": 1e-10, "maximize": False}
CHANGES: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.1, "lr_decay": 0.3},
    {"maximize": True, "eps": 1e-3, "lr": 2},
    {"found_inf": np.zeros((), np.float32), "grad_scale": np.array(3.7, np.float32)},
    {"found_inf": np.ones((), np.float32), "grad_scale": np.array(3.7, np.float32)},
    {"found_inf": np.ones((), np.float32)},
]


def draw_state(dtype: npt.DTypeLike, kind: str) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    rng = np.random.default_rng(1)
    params, grads = ([draw(rng, shape, dtype, kind) for shape in SHAPES] for _ in range(2))
    sums = [np.array(abs(draw(rng, shape, dtype, kind))) for shape in SHAPES]
    steps = [np.array(i, np.float32) for i, _ in enumerate(SHAPES)]
    return params, grads, sums, steps


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adagrad(dtype: npt.DTypeLike, kind: str, change: dict[str, Any]) -> None:
    ours, options = draw_state(dtype, kind), {**OPTIONS, **change}
    theirs = [[to_torch(array) for array in arrays] for arrays in ours]
    grads = [grad.copy() for grad in ours[1]]
    for step in range(3):
        adagrad(*ours, fused=True, **options)
        theirs[1] = [to_torch(grad) for grad in grads]  # torch leaves them divided by grad_scale
        tensors = {key: to_torch(value) if isinstance(value, np.ndarray) else value for key, value in options.items()}
        scaling = {"grad_scale": None, "found_inf": None}
        torch_adagrad(*theirs, fused=True, **{**scaling, **tensors})
        for name, arrays, others in zip(("params", "grads", "sums", "steps"), ours, theirs, strict=True):
            for i, array in enumerate(arrays):
                expected = grads[i] if name == "grads" else to_numpy(others[i])
                assert_same_bits(array, expected, f"{name}[{i}], step {step}")


REFUSED = [
    ({"has_sparse_grad": True}, RuntimeError, "`fused` does not support sparse grad"),
    ({"fused": True, "differentiable": True}, RuntimeError, "`fused` does not support `differentiable`"),
    ({"foreach": True}, ValueError, "foreach: expected None, as the path is the fused one, got True"),
    ({"grad_scale": 0.0}, ValueError, "grad_scale: expected a positive number within float32, got 0.0"),
    ({"found_inf": "1"}, TypeError, "found_inf: expected a number or a 1-element array, got str"),
    ({"lr": None}, TypeError, "lr: expected a number or a 1-element array, got NoneType"),
    ({"grads": [np.ones(3)]}, ValueError, "grads: expected 2 arrays, one for each parameter, got 1"),
    ({"state_sums": []}, ValueError, "state_sums: expected 2 arrays, one for each parameter, got 0"),
    ({"state_steps": [0]}, ValueError, "state_steps: expected 2 arrays, one for each parameter, got 1"),
    ({"state_steps": [0, 0]}, TypeError, "state_steps[0]: expected a writeable float32 array of shape ()"),
    (
        {"state_steps": [np.zeros((), np.float32), np.zeros(1, np.float32)]},
        TypeError,
        "state_steps[1]: expected a writeable float32 array of shape ()",
    ),
    ({"state_sums": [np.ones(3), np.ones(3)]}, ValueError, "state_sums[1]: expected shape (2,), got (3,)"),
    ({"grads": [np.ones(3), np.ones(3)]}, ValueError, "grads[1]: expected shape (2,), got (3,)"),
    ({"params": [np.ones(3), 1.0]}, TypeError, "params[1]: expected a NumPy array, got float"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "message"), REFUSED, ids=[text for *_, text in REFUSED])
def test_adagrad_refuses(change: dict[str, Any], kind: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {name: [np.ones(3), np.ones(2)] for name in ("params", "grads", "state_sums")}
    arguments["state_steps"] = [np.zeros((), np.float32), np.zeros((), np.float32)]
    arguments.update(OPTIONS, **change)
    before = frozen(arguments)
    with pytest.raises(kind) as caught:
        adagrad(**arguments)
    assert (type(caught.value), str(caught.value)) == (kind, message)
    assert frozen(arguments) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.3, np.float32(0.037), np.array([0.123])], ids=repr)
def test_apply_adagrad(rate: Any, dtype: npt.DTypeLike, kind: str) -> None:
    rng = np.random.default_rng(2)
    for shape in [(), (1,), (33,), (4, 5)]:
        var, grad = (draw_normal(rng, shape, dtype, kind) for _ in range(2))
        accum = np.array(abs(draw_normal(rng, shape, dtype, kind)))
        for step in range(3):
            expected = mindspore_apply(var, accum, float(np.asarray(rate).item()), grad)
            apply_adagrad(var, accum, rate, grad)
            assert_same_bits(var, expected[0], f"var, step {step}")
            assert_same_bits(accum, expected[1], f"accum, step {step}")


def test_a_python_float_as_rate_is_that_of_the_operator_in_float32() -> None:
    var, accum, grad = np.ones(3, np.float32), np.ones(3, np.float32), np.array([0.3, -2, 7], np.float32)
    theirs = [Parameter(Tensor(array.copy()), name=name) for name, array in (("var", var), ("accum", accum))]
    ops.ApplyAdagrad()(*theirs, 0.3, Tensor(grad))
    apply_adagrad(var, accum, 0.3, grad)
    for ours, expected in zip((var, accum), theirs, strict=True):
        assert_same_bits(ours, expected.asnumpy())


@pytest.mark.parametrize("dtype", ["float16", bfloat16], ids=str)
def test_half_types_are_those_of_the_optimizer(dtype: npt.DTypeLike) -> None:
    rng = np.random.default_rng(3)
    var, grad = (draw(rng, (33,), dtype, "normal") for _ in range(2))
    param, accum = var.copy(), np.full(33, 0.1, dtype)
    optimizer = MindSporeAdagrad([param], learning_rate=0.3)
    for _ in range(3):
        apply_adagrad(var, accum, 0.3, grad)
        optimizer.step([grad])
        assert_same_bits(var, param)
        assert_same_bits(accum, optimizer.state[0]["accum"])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", bfloat16], ids=str)
def test_a_frozen_accumulator(dtype: npt.DTypeLike) -> None:
    rng = np.random.default_rng(4)
    var, grad = (draw(rng, (33,), dtype, "normal") for _ in range(2))
    accum, expected = np.full(33, 0.1, dtype), var.copy()
    apply_adagrad(var, accum, 0.3, grad, update_slots=False)
    mindspore_update(expected, accum, grad, rate=0.3, update_slots=False)
    assert_same_bits(var, expected)
    assert_same_bits(accum, np.full(33, 0.1, dtype))


APPLY_REFUSED = [
    ({"var": [1.0]}, TypeError, "var: expected a NumPy array, got list"),
    ({"var": np.ones(3, complex)}, TypeError, "var: expected a real array, got a complex one"),
    ({"accum": np.ones(2)}, ValueError, "accum: expected shape (3,), got (2,)"),
    ({"accum": np.ones(3, np.float32)}, TypeError, "accum: expected the dtype float64 of its parameter, got float32"),
    ({"grad": np.ones((3, 1))}, ValueError, "grad: expected shape (3,), got (3, 1)"),
    ({"grad": None}, TypeError, "grad: expected a NumPy array, got NoneType"),
    ({"lr": "0.1"}, TypeError, "lr: expected a number or a 1-element array, got str"),
]


@pytest.mark.parametrize(("change", "kind", "message"), APPLY_REFUSED, ids=[text for *_, text in APPLY_REFUSED])
def test_apply_adagrad_refuses(change: dict[str, Any], kind: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"var": np.ones(3), "accum": np.ones(3), "lr": 0.1, "grad": np.ones(3), **change}
    before = frozen(arguments)
    with pytest.raises(kind) as caught:
        apply_adagrad(**arguments)
    assert (type(caught.value), str(caught.value)) == (kind, message)
    assert frozen(arguments) == before
