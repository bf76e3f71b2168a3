"""The fundamentals, with NumPy and pytest alone and numbers worked out by hand. Built wheels run this file only."""

import math
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad, functional, show_config
from numpy_adagrad.inputs.types import Array

DTYPES = [np.float16, np.float32, np.float64]


def same(actual: Array, expected: npt.ArrayLike) -> bool:
    expected = np.asarray(expected, actual.dtype)
    return actual.shape == expected.shape and actual.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_rule(dtype: type[np.floating[Any]]) -> None:
    """s = 0 + g^2; w = w - 0.5 g / |g|; then s = 9 + 16 = 25 and the root is 5."""
    w = np.array([1, 2, -4], dtype)
    opt = TorchAdagrad([w], lr=0.5, eps=0)
    opt.step([np.array([3, -1, 2], dtype)])
    assert same(opt.state[0]["sum"], [9, 1, 4])
    assert same(w, [0.5, 2.5, -4.5])
    opt.step([np.array([4, 0, 0], dtype)])
    assert same(opt.state[0]["sum"], [25, 1, 4])
    assert opt.state[0]["step"] == 2
    third = float(dtype(np.float32(0.5) - np.float32(2) / np.float32(5))) if dtype != np.float64 else 0.5 - 2.0 / 5.0
    assert same(w, [third, 2.5, -4.5])


@pytest.mark.parametrize("dtype", DTYPES)
def test_mindspore_rule(dtype: type[np.floating[Any]]) -> None:
    """s = 0 + 2^2 = 4 and 1e-8 is lost beside it in half and single precision: w = 1 - 0.5 * 2 * (1 / 2)."""
    w = np.array([1, 1], dtype)
    opt = MindSporeAdagrad([w], accum=0.0, learning_rate=0.5)
    opt.step([np.array([2, -2], dtype)])
    assert same(opt.state[0]["accum"], [4, 4])
    inverse = 1 / math.sqrt(4 + 1e-8) if dtype == np.float64 else 0.5
    assert same(w, [1 - inverse, 1 + inverse])
    assert opt.global_step.tolist() == [1]


def test_torch_options() -> None:
    """maximize turns g = 1 into -1; the decay adds 0.5 * 4 = 2 to that; s = 1; w = 4 - 0.25 * 1 / (1 + 1)."""
    w = np.array([4.0])
    opt = TorchAdagrad([w], lr=0.25, weight_decay=0.5, eps=1, maximize=True)
    opt.step([np.array([1.0])])
    assert same(opt.state[0]["sum"], [1])
    assert same(w, [3.875])


def test_rate_of_torch_decays() -> None:
    """The rate is 1, then 1 / (1 + 1): with g = 1 and s = 0, 1 + 3 = 4 after a start at 3, w = 0 - 0.5, ..."""
    w = np.array([0.0])
    opt = TorchAdagrad([w], lr=1, lr_decay=1, initial_accumulator_value=3, eps=0)
    opt.step([np.array([1.0])])
    assert same(w, [-0.5])
    opt.state[0]["sum"][...] = 15
    opt.step([np.array([1.0])])
    assert same(w, [-0.5 - 0.5 / 4])


def test_mindspore_options() -> None:
    """g = (6 + 2 * (0.5 * 2)) / 2 = 4, and a frozen accumulator stays at 4."""
    w = np.array([2], np.float32)
    opt = MindSporeAdagrad([w], accum=4.0, learning_rate=0.5, update_slots=False, loss_scale=2.0, weight_decay=0.5)
    opt.step([np.array([6], np.float32)])
    assert same(opt.state[0]["accum"], [4])
    assert same(w, [2 - 0.5 * 4 / 2])


def test_scaling_and_clipping() -> None:
    """(6, -8) / 2 has norm 5; clipped to 2.5 it is half as long but for the 1e-6 that torch adds to the norm."""
    w = np.array([0.0, 0.0])
    opt = TorchAdagrad([w], lr=1, eps=0)
    opt.step([np.array([6.0, -8.0])], grad_scale=2, max_norm=2.5)
    assert opt.grad_norm == 5
    factor = 2.5 / (5 + 1e-6)
    assert same(opt.state[0]["sum"], [(3 * factor) ** 2, (4 * factor) ** 2])


def test_sparse_gradients() -> None:
    """Row 2 gets 1 + 2 = 3 and row 0 gets -4: both move by the rate, against the sign; row 1 stays."""
    cases: list[tuple[Any, dict[str, Any]]] = [
        (TorchAdagrad, {"lr": 0.5, "eps": 0}),
        (MindSporeAdagrad, {"learning_rate": 0.5}),
    ]
    for rule, options in cases:
        table = np.ones((3, 2))
        opt = rule({"table": table}, **options)
        opt.step([RowSparse(np.array([2, 0, 2]), np.array([[1.0, 1.0], [-4.0, -4.0], [2.0, 2.0]]))])
        accumulated = opt.state[0][opt._accumulator]
        start = 0 if rule is TorchAdagrad else 0.1
        assert same(accumulated, np.array([[16 + start] * 2, [start] * 2, [9 + start] * 2]))
        assert np.allclose(table, 1) is False
        assert (table[1] == 1).all()
        assert (table[0] > 1).all()
        assert (table[2] < 1).all()


def test_large_arrays_are_shared_among_threads() -> None:
    w = np.ones((1000, 1000), np.float32)
    opt = TorchAdagrad([w], lr=0.5, eps=0)
    opt.step([np.full(w.shape, 2, np.float32)])
    assert (w == 0.5).all()
    assert (opt.state[0]["sum"] == 4).all()


def test_parameters_are_updated_in_place_and_gradients_only_read() -> None:
    buffer = np.zeros((4, 6), np.float32)
    w, b = buffer[:, ::2], buffer[1:3, 1::2].T
    address, grads = w.ctypes.data, {"b": np.ones((3, 2), np.float32), "w": np.ones((4, 3), np.float32)}
    opt = TorchAdagrad({"w": w, "b": b}, lr=1, eps=0)
    opt.step(grads)
    assert opt.param_groups[0]["params"][0] is w
    assert w.ctypes.data == address
    assert same(buffer, [[-1, 0, -1, 0, -1, 0], [-1] * 6, [-1] * 6, [-1, 0, -1, 0, -1, 0]])
    assert all((g == 1).all() for g in grads.values())


def test_a_step_that_raises_changes_nothing() -> None:
    w, b = np.ones(3, np.float32), np.ones(2, np.float32)
    opt = TorchAdagrad([w, b])
    with pytest.raises(TypeError, match="got float64; cast it with"):
        opt.step([np.ones(3, np.float32), np.ones(2)])
    with pytest.raises(ValueError, match=r"grads\[1\]: expected shape \(2,\), got \(2, 1\)"):
        opt.step([np.ones(3, np.float32), np.ones((2, 1), np.float32)])
    with pytest.raises(FloatingPointError):
        opt.step([np.ones(3, np.float32), np.full(2, np.inf, np.float32)], on_nonfinite="raise")
    assert (w == 1).all()
    assert not opt.state[0]["sum"].any()
    assert opt.state[0]["step"] == 0


def test_numbers_that_are_not_normal() -> None:
    """A subnormal counts, a NaN stays with its element, and no warning is given."""
    w = np.zeros(3, np.float32)
    opt = TorchAdagrad([w], lr=1, eps=0)
    opt.step([np.array([2.0**-70, np.nan, 2.0**-60], np.float32)])
    assert same(opt.state[0]["sum"][::2], [2.0**-140, 2.0**-120])
    assert same(w[::2], [-1, -1])
    assert np.isnan(w[1])


def test_groups_state_dicts_and_copies() -> None:
    w, b = np.ones(2), np.ones(2)
    opt = TorchAdagrad([{"params": [w]}, {"params": [b], "lr": 0.5}], lr=0.25, eps=0)
    opt.step([np.ones(2), np.ones(2)])
    assert same(w, [0.75, 0.75])
    assert same(b, [0.5, 0.5])
    other = TorchAdagrad([{"params": [np.ones(2)]}, {"params": [np.ones(2)]}])
    other.load_state_dict(opt.state_dict())
    assert [group["lr"] for group in other.param_groups] == [0.25, 0.5]
    assert same(other.state[1]["sum"], [1, 1])
    copied = pickle.loads(pickle.dumps(opt))
    copied.step([None, np.zeros(2)])
    assert copied.state[1]["step"] == 2
    assert opt.state[1]["step"] == 1


def test_stateless_forms() -> None:
    w, s, t = np.ones(1), np.zeros(1), np.zeros((), np.float32)
    functional.adagrad([w], [w * 2], [s], [t], lr=0.5, weight_decay=0, lr_decay=0, eps=0, maximize=False)
    assert (w[0], s[0], t.item()) == (0.5, 4, 1)
    v, a = np.ones(1, np.float32), np.zeros(1, np.float32)
    functional.apply_adagrad(v, a, 0.5, np.array([2], np.float32))
    assert (v[0], a[0]) == (0.5, 4)


def test_configuration_for_a_bug_report() -> None:
    config = show_config()
    assert int(config["threads"]) >= 1
    assert config["instruction_set"] in ("baseline", "v3", "v4")
