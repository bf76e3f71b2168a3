"""What changes between two steps: accumulators, counters, and gradients that are given again."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import RULES, Rule, accumulator, refuses
from helpers.oracle_step import make, oracle_step, plain
from helpers.values import draw
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array


def normal(*shape: int, seed: int = 1, dtype: npt.DTypeLike = np.float32) -> Array:
    return draw(np.random.default_rng(seed), shape, dtype, "normal").copy()


def label(rule: Rule, index: int) -> str:
    return f"[{index}]" if rule is TorchAdagrad else f"[{index}] ('param{index}')"


@pytest.mark.parametrize("rule", RULES)
def test_accumulator_changed_by_its_owner(rule: Rule) -> None:
    w = normal(6)
    opt = make(rule, [w])
    accumulator(opt, 0).flags.writeable = False
    message = f"{rule._accumulator}{label(rule, 0)}: expected a writeable array, got a read-only one"
    refuses(ValueError, message, lambda: opt.step([normal(6)]))
    assert_same_bits(w, normal(6), "parameter")


@pytest.mark.parametrize("rule", RULES)
def test_counter_changed_by_its_owner(rule: Rule) -> None:
    """A step writes it too, and must not write where it once was."""
    w = normal(6)
    opt = make(rule, [w])
    torch = rule is TorchAdagrad
    counter = opt.global_step if isinstance(opt, MindSporeAdagrad) else opt.state[0]["step"]
    label, kind = ("step[0]", "float32 array of shape ()") if torch else ("global_step", "int32 array of shape (1,)")
    counter.resize(10**5, refcheck=False)
    refuses(TypeError, f"{label}: expected a writeable {kind}", lambda: opt.step([normal(6)]))
    counter.resize(() if torch else 1, refcheck=False)
    counter.flags.writeable = False
    refuses(TypeError, f"{label}: expected a writeable {kind}", lambda: opt.step([normal(6)]))
    assert_same_bits(w, normal(6), "parameter")
    counter.flags.writeable = True
    opt.step([normal(6)])
    assert counter == 1
    assert (w != normal(6)).all()


def test_counter_of_mindspore_is_changed_in_place() -> None:
    opt = MindSporeAdagrad([normal(6)])
    counter = opt.global_step
    opt.global_step[...] = 5
    opt.global_step += 1
    opt.global_step = opt.global_step + 1
    opt.step([normal(6)])
    assert opt.global_step is counter
    assert opt.state_dict()["global_step"] == counter == 8


# What becomes of a gradient of shape (6,) after a step that took it, and what the next step says of it.
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
        f"expected native byte order, got {np.dtype(np.float32).newbyteorder('S').str}",
    ),
}


# Deprecated since NumPy 2.5; as long as it can be done it must be noticed.
@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype) on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("change", "error", "message"), REUSED.values(), ids=REUSED)
def test_gradient_changed(rule: Rule, change: Callable[[Array], None], error: type[Exception], message: str) -> None:
    w, grad = normal(6), normal(6)
    opt = make(rule, [w])
    opt.step([grad])
    before = w.copy()
    change(grad)
    for _ in range(2):
        refuses(error, f"grads{label(rule, 0)}: {message}", lambda: opt.step([grad]))
    assert_same_bits(w, before, "parameter")


@pytest.mark.parametrize("rule", RULES)
def test_gradient_given_again(rule: Rule) -> None:
    """New numbers, other strides and narrower types in memory that the last gradient had."""
    memory = normal(48)
    views: list[Array | None] = [memory[:6], memory[:6], memory[:12:2]]
    views += [memory.view(np.float16)[:6], memory.view(np.float16)[:12:2]]
    views += [None, memory[:6], memory[5::-1], np.broadcast_to(memory[:1], 6), memory[:6].view(np.matrix)[0].A1]
    w = normal(6, seed=2)
    opt, expected, accum = make(rule, [w]), w.copy(), np.full(6, 0.1, np.float32)
    for i, view in enumerate([*views, *views[::-1]]):
        memory[:] = normal(48, seed=i)
        opt.step([view], max_norm=0.5)
        oracle_step(rule, [expected], [accum], [plain(view)], scaling={"max_norm": 0.5})
        assert_same_bits(w, expected, f"parameter, view {i}")
        assert_same_bits(accumulator(opt, 0), accum, f"accumulator, view {i}")


@pytest.mark.parametrize("rule", RULES)
def test_masked_gradient_over_the_last_one(rule: Rule) -> None:
    opt, grad = make(rule, [normal(6)]), normal(6)
    opt.step([grad])
    message = f"grads{label(rule, 0)}: expected an array without a mask, got MaskedArray"
    refuses(TypeError, message, lambda: opt.step([grad.view(np.ma.MaskedArray)]))


@pytest.mark.parametrize("rule", RULES)
def test_gradient_that_becomes_a_parameter(rule: Rule) -> None:
    opt, grad = make(rule, [normal(6)]), normal(6)
    opt.step([grad])
    opt.param_groups[0]["params"][0] = grad
    message = f"grads{label(rule, 0)}: expected its own memory, got the same array as params{label(rule, 0)}"
    refuses(ValueError, message, lambda: opt.step([grad]))
