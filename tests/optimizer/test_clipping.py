"""grad_scale, max_norm, on_nonfinite and grad_norm: what the tests of own bits leave open."""

from collections.abc import Sequence
from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import RULES, Rule, accumulator
from helpers.oracle import computing_type, gradient_norm, scaled_gradients
from helpers.oracle_step import check_step, make
from helpers.values import Shape, draw, real_type
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array

DTYPES = ["f4", "f8", "f2", ml_dtypes.bfloat16]
SHAPES = [(4095,), (4096,), (4097,), (3, 5000), (), (0,), (70, 71)]


def normal(shape: Shape, dtype: npt.DTypeLike = np.float32, seed: int = 1) -> Array:
    return draw(np.random.default_rng(seed), shape, dtype, "normal")


def some(seed: int, dtypes: Sequence[npt.DTypeLike] = DTYPES) -> list[Array]:
    """Arrays of all shapes, the dtypes taking turns."""
    return [normal(shape, dtypes[i % len(dtypes)], seed + i) for i, shape in enumerate(SHAPES)]


def norm_of(
    rule: Rule, params: Sequence[Array], grads: Sequence[Array | None], loss_scale: float = 1.0, **scaling: Any
) -> np.float64:
    kept_in = computing_type if rule is TorchAdagrad else real_type
    return gradient_norm(scaled_gradients(params, grads, kept_in, **scaling), loss_scale)


@pytest.mark.parametrize("max_norm", [0, 1e-300, 0.5, 1e9, np.inf, np.float32(0.3), np.array([0.3])])
@pytest.mark.parametrize("grad_scale", [None, 0.1, 3, 2.0**-130, np.float64(1e20), np.array(7.0)])
@pytest.mark.parametrize("rule", RULES)
def test_one_norm_over_all_dtypes(rule: Rule, grad_scale: Any, max_norm: Any) -> None:
    params, grads = some(1), some(100)
    scaling = {"max_norm": float(np.ravel(max_norm)[0]), "grad_scale": grad_scale}
    expected = norm_of(rule, params, grads, grad_scale=grad_scale)
    opt = check_step(rule, params, grads, scaling=scaling)
    assert_same_bits(np.float64(opt.grad_norm), expected, "norm")
    opt.step(grads, max_norm=max_norm, grad_scale=grad_scale)
    assert_same_bits(np.float64(opt.grad_norm), expected, "norm, max_norm as given")


@pytest.mark.parametrize("rule", RULES)
def test_limit_at_the_norm(rule: Rule) -> None:
    """As in torch a gradient of exactly the limit shrinks, for the 1e-6; one that is 1e-6 shorter does not."""
    grad = np.array([3, 4], np.float64)
    for limit, scaled in ((5.0, 5 / (5 + 1e-6)), (5 + 1e-6, 1.0)):
        opt = check_step(rule, [normal(2, "f8")], [grad], scaling={"max_norm": limit})
        assert opt.grad_norm == 5
        moved = np.float64(0.1) + (grad * scaled) ** 2
        assert_same_bits(accumulator(opt, 0)[1:], moved[1:], "accumulator")


@pytest.mark.parametrize("rule", RULES)
def test_norm_of_groups_and_missing_gradients(rule: Rule) -> None:
    params = some(1, ["f4"])
    groups = [{"params": params[:3]}, {"params": params[3:], "lr": 0.037}]
    for missing in ((), (1, 3), range(len(params))):
        grads = [None if i in missing else g for i, g in enumerate(some(100, ["f4"]))]
        opt = check_step(rule, params, grads, groups=groups, scaling={"max_norm": 0.5})
        assert_same_bits(np.float64(opt.grad_norm), norm_of(rule, params, grads), f"norm without {missing}")
    assert opt.grad_norm == 0


@pytest.mark.parametrize("rule", RULES)
def test_norm_is_taken_only_when_asked_for(rule: Rule) -> None:
    opt = make(rule, [normal(9)])
    assert opt.grad_norm is None
    opt.step([normal(9)])
    assert opt.grad_norm is None
    for asked in ({"max_norm": np.inf}, {"on_nonfinite": "skip"}, {"on_nonfinite": "raise"}):
        opt.step([normal(9)], **asked)
        assert_same_bits(np.float64(opt.grad_norm), gradient_norm([normal(9)]), f"{asked}")
        opt.step([normal(9)], grad_scale=2.0)
        assert opt.grad_norm is None


@pytest.mark.parametrize("rule", RULES)
def test_norm_comes_before_decay_and_sign(rule: Rule) -> None:
    """And MindSpore's is that of the gradient without its loss scale."""
    params, grads, expected = some(1), some(100), norm_of(rule, some(1), some(100))
    if rule is TorchAdagrad:
        opt = check_step(rule, params, grads, scaling={"max_norm": 0.5}, weight_decay=0.1, maximize=True)
    else:
        opt = check_step(rule, params, grads, scaling={"max_norm": 0.5}, weight_decay=0.1, loss_scale=1024.0)
        expected = expected / 1024
    assert_same_bits(np.float64(opt.grad_norm), expected, "norm")


# (rule, dtype, gradient, grad_scale, whether what is scaled is finite)
LARGE = [
    (TorchAdagrad, "f4", 3e38, None, True),
    (TorchAdagrad, "f4", 3e38, 0.5, False),
    (TorchAdagrad, "f8", 1e155, None, False),  # its square is not
    (TorchAdagrad, "f8", 1e153, None, True),
    (TorchAdagrad, "f2", 6e4, 0.5, True),  # computed and kept in float32
    (MindSporeAdagrad, "f2", 6e4, 0.5, False),  # rounded to float16
    (MindSporeAdagrad, "f2", 6e4, None, True),
    (MindSporeAdagrad, "f4", 3e38, 0.5, False),
    (MindSporeAdagrad, ml_dtypes.bfloat16, 3e38, 2.0, True),
]


@pytest.mark.parametrize(("rule", "dtype", "value", "grad_scale", "finite"), LARGE)
def test_finite_is_what_is_finite_after_scaling(
    rule: Rule, dtype: npt.DTypeLike, value: float, grad_scale: Any, finite: bool
) -> None:
    param, grad = normal(5, dtype), np.full(5, value, dtype)
    opt = make(rule, [param])
    opt.step([grad], grad_scale=grad_scale, on_nonfinite="skip")
    assert opt.skipped_steps == (not finite)
    assert opt.grad_norm is not None
    assert np.isfinite(opt.grad_norm) == finite
    assert (accumulator(opt, 0) != np.full(5, 0.1, dtype)).all() == finite
    if finite:
        check_step(rule, [normal(5, dtype)], [grad], scaling={"grad_scale": grad_scale, "max_norm": 1.0})
    else:
        with pytest.raises(FloatingPointError, match=r"^grads: expected finite values, got a norm of inf$"):
            opt.step([grad], grad_scale=grad_scale, on_nonfinite="raise")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("rule", RULES)
def test_propagate_goes_on_as_torch_would(rule: Rule, value: float) -> None:
    """Clipping by an infinite norm leaves zeros, and a NaN where infinity was; by a NaN, NaN everywhere."""
    params, grads = [normal(5), normal(6, seed=2)], [normal(5, seed=3), normal(6, seed=4)]
    grads[1][2] = value
    opt = check_step(rule, params, grads, scaling={"max_norm": 1.0})
    assert_same_bits(np.float64(opt.grad_norm), np.float64(value), "norm")
    assert np.isnan(accumulator(opt, 0)).all() == np.isnan(value)
    params = [normal(5), normal(6, seed=2)]
    check_step(rule, params, grads)
    assert np.isfinite(params[0]).all()
    assert np.isfinite(np.delete(params[1], 2)).all()


@pytest.mark.parametrize("rule", RULES)
def test_norm_does_not_depend_on_layout(rule: Rule) -> None:
    """The sum runs in C order, also over arrays whose elements are moved in Fortran order."""
    shape = (90, 1000)
    expected = norm_of(rule, [normal(shape)], [normal(shape, seed=2)])
    orders: tuple[Literal["C", "F"], ...] = ("C", "F")
    for order in orders:
        for grad_order in orders:
            param, grad = np.array(normal(shape), order=order), np.array(normal(shape, seed=2), order=grad_order)
            opt = check_step(rule, [param], [grad], scaling={"max_norm": 0.5})
            assert_same_bits(np.float64(opt.grad_norm), expected, f"{order} and {grad_order}")
