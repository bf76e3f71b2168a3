"""grad_scale, max_norm, on_nonfinite and grad_norm, over several arrays, dtypes and layouts."""

import copy
from collections.abc import Sequence
from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.check_step import check_step
from helpers.contents import contents
from helpers.dialects import DIALECTS, RATE, START, Dialect
from helpers.oracle import gradient_norm, scaled_gradients
from helpers.values import normal
from numpy_adagrad.inputs.types import Array

DTYPES = ["f4", "f8", "f2", ml_dtypes.bfloat16]
SHAPES = [(4095,), (4096,), (4097,), (3, 5000), (), (0,), (70, 71)]


def some(seed: int, dtypes: Sequence[npt.DTypeLike] = DTYPES) -> list[Array]:
    """Arrays of all shapes, the dtypes taking turns."""
    return [normal(*shape, dtype=dtypes[i % len(dtypes)], seed=seed + i) for i, shape in enumerate(SHAPES)]


def norm_of(
    dialect: Dialect, params: Sequence[Array], grads: Sequence[Array | None], loss_scale: float = 1.0, **scaling: Any
) -> np.float64:
    return gradient_norm(scaled_gradients(params, grads, dialect.kept_in, **scaling), loss_scale)


@pytest.mark.parametrize("max_norm", [0, 1e-300, 0.5, 1e9, np.inf, np.float32(0.3), np.array([0.3])])
@pytest.mark.parametrize("grad_scale", [None, 0.1, 3, 2.0**-130, np.float64(1e20), np.array(7.0)])
def test_one_norm_over_all_dtypes(dialect: Dialect, grad_scale: Any, max_norm: Any) -> None:
    params, grads = some(1), some(100)
    scaling = {"max_norm": float(np.ravel(max_norm)[0]), "grad_scale": grad_scale}
    expected = norm_of(dialect, params, grads, grad_scale=grad_scale)
    opt = check_step(dialect, params, grads, scaling=scaling)
    assert_same_bits(np.float64(opt.grad_norm), expected, "norm")
    twin = copy.deepcopy(opt)
    opt.step(grads, max_norm=max_norm, grad_scale=grad_scale)
    twin.step(grads, **scaling)
    assert_same_bits(np.float64(opt.grad_norm), expected, "norm, max_norm as given")
    assert contents(opt) == contents(twin)


@pytest.mark.parametrize("scale", [2.0**16, 2.0**-25])
def test_scale_beyond_a_half_type(dialect: Dialect, scale: float) -> None:
    grad = np.array([2000, -300], np.float16) * np.float16(1 if scale > 1 else 2**-20)
    opt = check_step(dialect, [normal(2, dtype="f2")], [grad], scaling={"grad_scale": scale, "max_norm": np.inf})
    scaled = (grad.astype(np.float32) / np.float32(scale)).astype(dialect.kept_in(grad.dtype)).astype(np.float64)
    assert_same_bits(np.float64(opt.grad_norm), np.sqrt(np.sum(scaled**2)), "norm")


def test_limit_at_the_norm(dialect: Dialect) -> None:
    """As in torch a gradient of exactly the limit shrinks, for the 1e-6; one that is 1e-6 shorter does not."""
    grad = np.array([3, 4], np.float64)
    for limit, scaled in ((5.0, 5 / (5 + 1e-6)), (5 + 1e-6, 1.0)):
        opt = check_step(dialect, [normal(2, dtype="f8")], [grad], scaling={"max_norm": limit})
        assert opt.grad_norm == 5
        grown = np.float64(START) + (grad * scaled) ** 2
        assert_same_bits(dialect.accumulator(opt, 0)[1:], grown[1:], "accumulator")


def test_norm_of_groups_and_missing_gradients(dialect: Dialect) -> None:
    params = some(1, ["f4"])
    groups = [{"params": params[:3]}, {"params": params[3:], dialect.group_rate: RATE}]
    for missing in ((), (1, 3), range(len(params))):
        grads = [None if i in missing else g for i, g in enumerate(some(100, ["f4"]))]
        opt = check_step(dialect, params, grads, groups=groups, scaling={"max_norm": 0.5})
        assert_same_bits(np.float64(opt.grad_norm), norm_of(dialect, params, grads), f"norm without {missing}")
    assert opt.grad_norm == 0


def test_norm_is_computed_only_where_an_option_needs_it(dialect: Dialect) -> None:
    opt = dialect.make([normal(9)])
    assert opt.grad_norm is None
    opt.step([normal(9)])
    assert opt.grad_norm is None
    for options in ({"max_norm": np.inf}, {"on_nonfinite": "skip"}, {"on_nonfinite": "raise"}):
        opt.step([normal(9)], **options)
        assert_same_bits(np.float64(opt.grad_norm), gradient_norm([normal(9)]), f"{options}")
        opt.step([normal(9)], grad_scale=2.0)
        assert opt.grad_norm is None


def test_norm_comes_before_the_rule(dialect: Dialect) -> None:
    """It is the norm of the gradient without its loss scale, before decay and sign."""
    for options, group in dialect.variants:
        params, grads = some(1), some(100)
        expected = norm_of(dialect, params, grads)
        opt = check_step(dialect, params, grads, scaling={"max_norm": 0.5}, group=group, **options)
        assert_same_bits(np.float64(opt.grad_norm), expected / options.get("loss_scale", 1), "norm")


# (rule, dtype, gradient, grad_scale, whether the scaled gradient and its square are finite)
LARGE = [
    ("torch", "f4", 3e38, None, True),
    ("torch", "f4", 3e38, 0.5, False),
    ("torch", "f8", 1e155, None, False),  # its square is not
    ("torch", "f8", 1e153, None, True),
    ("torch", "f2", 6e4, 0.5, True),  # computed and kept in float32
    ("mindspore", "f2", 6e4, 0.5, False),  # rounded to float16
    ("mindspore", "f2", 6e4, None, True),
    ("mindspore", "f4", 3e38, 0.5, False),
    ("mindspore", ml_dtypes.bfloat16, 3e38, 2.0, True),
]


@pytest.mark.parametrize(("rule", "dtype", "value", "grad_scale", "finite"), LARGE)
def test_scaled_gradients_count_as_finite_or_not(
    rule: str, dtype: npt.DTypeLike, value: float, grad_scale: Any, finite: bool
) -> None:
    dialect = DIALECTS[rule]
    param, grad = normal(5, dtype=dtype), np.full(5, value, dtype)
    opt = dialect.make([param])
    opt.step([grad], grad_scale=grad_scale, on_nonfinite="skip")
    assert opt.skipped_steps == (not finite)
    assert opt.grad_norm is not None
    assert np.isfinite(opt.grad_norm) == finite
    assert (dialect.accumulator(opt, 0) != np.full(5, START, dtype)).all() == finite
    if finite:
        check_step(dialect, [normal(5, dtype=dtype)], [grad], scaling={"grad_scale": grad_scale, "max_norm": 1.0})
    else:
        opt.step([np.zeros(5, dtype)], max_norm=1.0)
        assert opt.grad_norm == 0
        with pytest.raises(FloatingPointError):
            opt.step([grad], grad_scale=grad_scale, on_nonfinite="raise")
        assert not np.isfinite(opt.grad_norm)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_propagate_goes_on_as_torch_would(dialect: Dialect, value: float) -> None:
    """Clipping by an infinite norm leaves zeros, and a NaN where infinity was; by a NaN, NaN everywhere."""
    params, grads = [normal(5), normal(6, seed=2)], [normal(5, seed=3), normal(6, seed=4)]
    grads[1][2] = value
    opt = check_step(dialect, params, grads, scaling={"max_norm": 1.0})
    assert_same_bits(np.float64(opt.grad_norm), np.float64(value), "norm")
    assert np.isnan(dialect.accumulator(opt, 0)).all() == np.isnan(value)
    params = [normal(5), normal(6, seed=2)]
    check_step(dialect, params, grads)
    assert np.isfinite(params[0]).all()
    assert np.isfinite(np.delete(params[1], 2)).all()


@pytest.mark.parametrize("seed", range(2, 6))
def test_norm_does_not_depend_on_layout(dialect: Dialect, seed: int) -> None:
    """The sum runs in C order, also over arrays whose elements are updated in Fortran order.

    Some values have the same sum in both orders.
    """
    shape = (90, 1000)
    expected = norm_of(dialect, [normal(*shape)], [normal(*shape, seed=seed)])
    orders: tuple[Literal["C", "F"], ...] = ("C", "F")
    for order in orders:
        for grad_order in orders:
            param, grad = np.array(normal(*shape), order=order), np.array(normal(*shape, seed=seed), order=grad_order)
            opt = check_step(dialect, [param], [grad], scaling={"max_norm": 0.5})
            assert_same_bits(np.float64(opt.grad_norm), expected, f"{order} and {grad_order}")
