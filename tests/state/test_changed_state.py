"""Accumulators, counters and gradients that change between two steps."""

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.check_step import plain
from helpers.contents import counters
from helpers.dialects import START, Dialect
from helpers.errors import raises, raises_unchanged
from helpers.values import normal
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array


def test_accumulator_changed_by_its_owner(dialect: Dialect) -> None:
    w = normal(6)
    opt = dialect.make([w])
    dialect.accumulator(opt, 0).flags.writeable = False
    label = dialect.label(dialect.optimizer._accumulator, 0)
    message = f"{label}: expected a writeable array, got a read-only one; copy it with .copy()"
    raises_unchanged(opt, ValueError, message, lambda: opt.step([normal(6)]))


def test_counter_changed_by_its_owner(dialect: Dialect) -> None:
    """A step writes it too, and must not write where it once was."""
    w = normal(6)
    opt = dialect.make([w])
    label = f"{dialect.optimizer._counter}[0]" if dialect.counts_each else dialect.optimizer._counter
    for counter in counters(opt):
        shape = counter.shape
        right = f"{counter.dtype} array of shape {shape}"
        message = f"{label}: expected a writeable {right}, got "
        counter.resize(10**5, refcheck=False)
        got = f"{counter.dtype} array of shape (100000,)"
        raises_unchanged(opt, TypeError, message + got, lambda: opt.step([normal(6)]))
        counter.resize(shape, refcheck=False)
        counter.flags.writeable = False
        raises_unchanged(opt, TypeError, f"{message}a read-only {right}", lambda: opt.step([normal(6)]))
        counter.flags.writeable = True
    opt.step([normal(6)])
    assert set(dialect.steps(opt)) <= {1}
    assert (w != normal(6)).all()


@pytest.mark.parametrize("count", [np.nan, np.inf, 0.5, -1.0])
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("lr", [0.5, lambda step: 0.5], ids=["number", "schedule"])
def test_counter_that_counts_nothing(lr: Any, steps: int, index: int, count: float) -> None:
    """With a fixed rate, and for all but the first parameter, NaN went into the parameter."""
    opt = TorchAdagrad([normal(6), normal(3)], lr=lr)
    for _ in range(steps):
        opt.step([normal(6), normal(3)])
    opt.state[index]["step"][...] = count
    message = f"step[{index}]: expected a whole number of steps, got {count}"
    raises_unchanged(opt, ValueError, message, lambda: opt.step([normal(6), normal(3)]))
    raises(ValueError, message, lambda: opt.steps)


def test_as_many_steps_as_float32_counts() -> None:
    opt = TorchAdagrad([normal(6)], lr=lambda step: 1 / step)
    opt.state[0]["step"][...] = 2.0**127
    opt.step([normal(6)])
    assert opt.last_lr == [2.0**-127]


@pytest.mark.parametrize("index", [1.0, -1, 1, "x", None, ("w",)])
def test_state_of_no_parameter(dialect: Dialect, index: Any) -> None:
    opt = dialect.make([normal(6)])
    message = f"state: expected an index below 1 or the name of a parameter, got {index!r}"
    raises(KeyError, message, lambda: opt.state[index])
    assert index not in opt.state


def test_state_by_the_parameter_as_in_torch(dialect: Dialect) -> None:
    param: Any = normal(6)
    opt = dialect.make([param])
    message = "state: expected an index below 1 or the name of a parameter, got ndarray"
    raises(KeyError, message, lambda: opt.state[param])
    assert param not in opt.state


def test_state_arrays_are_written_to_and_stay(dialect: Dialect) -> None:
    opt = dialect.make([normal(6)])
    accumulator, key, state = dialect.accumulator(opt, 0), dialect.optimizer._accumulator, opt.state
    before = accumulator.copy()
    state[0][key] += 1  # an error after the sum would leave it changed
    assert_same_bits(accumulator, before + 1)
    message = f"state: its arrays cannot be replaced; write into them, as state[0][{key!r}][...] = ... does"
    raises_unchanged(opt, TypeError, message, lambda: operator.setitem(state[0], key, normal(6)))
    message = "state: its arrays cannot be replaced; write into them, or load_state_dict(...)"
    raises_unchanged(opt, TypeError, message, lambda: operator.setitem(state, 0, {}))
    kept = copy.deepcopy(state[0])
    accumulator[...] = 7
    assert_same_bits(kept[key], before + 1)


def test_copies_of_the_whole_state(dialect: Dialect) -> None:
    opt = dialect.optimizer({"w": normal(6)})
    opt.step([normal(6)])
    key = dialect.optimizer._accumulator
    kept = opt.state[0][key].copy()
    copies = pickle.loads(pickle.dumps(opt.state)), copy.deepcopy(opt.state)
    opt.step([normal(6)])
    for state in copies:
        assert_same_bits(state["w"][key], kept)


def test_state_by_a_name_that_is_no_text() -> None:
    opt = TorchAdagrad({("layer", "w"): normal(6)})
    name: Any = ("layer", "w")
    assert opt.state[name] == opt.state[0] == opt.state[np.int64(0)]  # type: ignore[index]


@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype) on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize(
    "change", [lambda d: d.newbyteorder("S"), lambda d: np.dtype(f"u{d.itemsize}"), lambda d: "S4"]
)
def test_counter_with_another_dtype(dialect: Dialect, change: Callable[[Any], Any]) -> None:
    """Of the same size: its memory would be read as numbers of the wrong kind."""
    opt = dialect.make([normal(6)])
    opt.step([normal(6)])
    label = f"{dialect.optimizer._counter}[0]" if dialect.counts_each else dialect.optimizer._counter
    counter: Any
    for counter in counters(opt):
        right = counter.dtype
        message = f"{label}: expected a writeable {right} array of shape {counter.shape}, got "
        counter.dtype = change(right)
        message += f"{counter.dtype} array of shape {counter.shape}"
        for _ in range(2):
            raises_unchanged(opt, TypeError, message, lambda: opt.step([normal(6)]))
        counter.dtype = right
    opt.step([normal(6)])
    assert set(dialect.steps(opt)) == {2}


# Each changes a gradient of shape (6,) after a step with it; the error of the next step with it.
REUSED = {
    "shape": (lambda g: setattr(g, "shape", (3, 2)), ValueError, "expected shape (6,), got (3, 2)"),
    "resize": (lambda g: g.resize(5, refcheck=False), ValueError, "expected shape (6,), got (5,)"),
    "dtype": (
        lambda g: setattr(g, "dtype", np.int32),
        TypeError,
        "expected float32, got int32; cast it with .astype(np.float32)",
    ),
    "byte_order": (
        lambda g: setattr(g, "dtype", g.dtype.newbyteorder("S")),
        ValueError,
        f"expected native byte order, got {np.dtype(np.float32).newbyteorder('S').str}; "
        "convert it with .astype(np.float32)",
    ),
}


# Deprecated since NumPy 2.5; as long as it can be done it must be noticed.
@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype) on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize(("change", "error", "message"), REUSED.values(), ids=REUSED)
def test_gradient_changed(
    dialect: Dialect, change: Callable[[Array], None], error: type[Exception], message: str
) -> None:
    w, grad = normal(6), normal(6)
    opt = dialect.make([w])
    opt.step([grad])
    change(grad)
    message = f"{dialect.label('grads', 0)}: {message}"
    for _ in range(2):
        raises_unchanged(opt, error, message, lambda: opt.step([grad]))


def test_gradient_given_again(dialect: Dialect) -> None:
    """New numbers, other strides and narrower types in memory that the last gradient had."""
    memory = normal(48)
    views: list[Array | None] = [memory[:6], memory[:6], memory[:12:2]]
    views += [memory.view(np.float16)[:6], memory.view(np.float16)[:12:2]]
    views += [None, memory[:6], memory[5::-1], np.broadcast_to(memory[:1], 6), memory[:6].view(np.matrix)[0].A1]
    w = normal(6, seed=2)
    opt, expected, accum = dialect.make([w]), w.copy(), np.full(6, START, np.float32)
    for i, view in enumerate([*views, *views[::-1]]):
        memory[:] = normal(48, seed=i)
        opt.step([view], max_norm=0.5)
        dialect.first_step([expected], [accum], [None if view is None else plain(view)], scaling={"max_norm": 0.5})
        assert_same_bits(w, expected, f"parameter, view {i}")
        assert_same_bits(dialect.accumulator(opt, 0), accum, f"accumulator, view {i}")


def test_masked_gradient_over_the_last_one(dialect: Dialect) -> None:
    opt, grad = dialect.make([normal(6)]), normal(6)
    opt.step([grad])
    with pytest.raises(TypeError, match="MaskedArray"):
        opt.step([grad.view(np.ma.MaskedArray)])


def test_gradient_that_becomes_a_parameter(dialect: Dialect) -> None:
    opt, grad = dialect.make([normal(6)]), normal(6)
    opt.step([grad])
    opt.param_groups[0]["params"][0] = grad
    with pytest.raises(ValueError, match="the same array as params"):
        opt.step([grad])
