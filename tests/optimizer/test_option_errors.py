"""Options and names in forms that are easily mistaken: each is accepted everywhere or raises an error at once."""

import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.dialects import RATE, Dialect
from helpers.errors import raises, raises_unchanged
from helpers.values import bfloat16
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, schedules
from numpy_adagrad.inputs.types import Array

# Names that are no text


@pytest.mark.parametrize(
    ("name", "shown"),
    [(1, "1"), (("a", "W"), "('a', 'W')"), (None, "None"), (b"a", "b'a'"), ("\udc80", "'\\udc80'"), ("é", "'é'")],
)
def test_errors_show_any_name(name: Any, shown: str) -> None:
    """torch's rule takes any key of a mapping, as for example the tuples of flattened trees."""
    message = f"params[0] ({shown}): expected a NumPy array, got list"
    raises(TypeError, message, lambda: TorchAdagrad({name: [1.0]}))
    optimizer = TorchAdagrad({name: np.ones(3)}, lr=1.0, eps=0)
    message = f"grads[0] ({shown}): expected shape (3,), got (2,)"
    raises(ValueError, message, lambda: optimizer.step({name: np.ones(2)}))
    optimizer.step({name: np.ones(3)})
    assert_same_bits(optimizer.param_groups[0]["params"][0], np.zeros(3))


def test_mindspore_names_are_text() -> None:
    names: list[Any] = [1, ("a", "W"), None, b"a"]
    for name in names:
        message = f"params: expected names of type str, got {name!r}"
        raises(TypeError, message, partial(MindSporeAdagrad, {name: np.ones(3)}))


# Numbers in arrays of one element


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("late", [False, True])
def test_every_number_may_be_an_array_of_one_element(dialect: Dialect, shape: tuple[int, ...], late: bool) -> None:
    numbers = {dialect.rate: 0.5, "weight_decay": 0.25, "lr_decay": 0.125, "eps": 0.0625}
    numbers = {key: value for key, value in numbers.items() if key in dialect._arguments}
    of_groups = {dialect.group_rate if key == dialect.rate else key: value for key, value in numbers.items()}
    arrays: dict[str, Any] = {key: np.full(shape, value) for key, value in numbers.items()}
    if dialect.rate != dialect.group_rate:
        arrays[dialect.rate] = np.array(0.5)  # MindSpore takes an array of one dimension as a rate for each step
    params = [np.ones(3), np.ones(3)]
    expected = dialect.make([params[0]], **numbers)
    optimizer = dialect.make([params[1]], **({} if late else arrays))
    if late:
        renamed = dict(zip(of_groups, arrays.values(), strict=True))
        optimizer.param_groups[0].update(renamed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            expected.step([np.full(3, 2.0)])
            optimizer.step([np.full(3, 2.0)])
    assert_same_bits(params[1], params[0])


def test_arrays_of_more_elements_raise_at_once() -> None:
    for key in ("lr_decay", "weight_decay", "eps", "initial_accumulator_value"):
        option: dict[str, Any] = {key: np.ones(2)}
        message = f"{key}: expected a number, got an array of shape (2,) and dtype float64"
        raises(TypeError, message, partial(TorchAdagrad, [np.ones(3)], **option))


def test_the_start_of_accumulators_may_be_an_array() -> None:
    optimizer = TorchAdagrad([np.ones(3)], initial_accumulator_value=np.array([0.5]))
    assert_same_bits(optimizer.state[0]["sum"], np.full(3, 0.5))


def test_mindspore_loss_scale_may_be_an_array() -> None:
    assert MindSporeAdagrad([np.ones(3)], loss_scale=np.array([2.0])).loss_scale == 2.0


# Numbers that are none, tensors


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ma.masked, "expected an array without a mask, got MaskedConstant; fill it with .filled(0)"),
        (np.ma.ones(1), "expected an array without a mask, got MaskedArray; fill it with .filled(0)"),
        (np.zeros(1, [("a", "f4")]), "expected a number, got an array of shape (1,) and dtype [('a', '<f4')]"),
        (np.zeros(1, "V4"), "expected a number, got an array of shape (1,) and dtype |V4"),
        (
            torch.empty((), device="meta"),
            "expected an array that NumPy can read, got Tensor: Cannot copy out of meta tensor; no data!",
        ),
    ],
)
def test_masked_structured_and_absent_numbers(value: Any, message: str) -> None:
    for key in ("lr", "eps"):
        option: dict[str, Any] = {key: value}
        raises(TypeError, f"{key}: {message}", partial(TorchAdagrad, [np.ones(3)], **option))
    optimizer = TorchAdagrad([np.ones(3)])
    raises(TypeError, f"grad_scale: {message}", lambda: optimizer.step([np.ones(3)], grad_scale=value))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_number_may_be_a_tensor_that_requires_a_gradient(dialect: Dialect, dtype: torch.dtype) -> None:
    tensor: Any = torch.tensor(0.5, dtype=dtype, requires_grad=True)
    params = [np.ones(3), np.ones(3)]
    for param, number in zip(params, (tensor, 0.5), strict=True):
        dialect.make([param], **{dialect.rate: number}).step([np.full(3, 2.0)], grad_scale=number)
    assert_same_bits(params[0], params[1])


# Neither a class nor a cell of MindSpore is a schedule


def test_a_class_raises_at_once(dialect: Dialect) -> None:
    cure = "expected a callable of the number of steps, got the class cosine; give cosine(...)"
    cosine: Any = schedules.cosine
    message = f"{dialect.rate}: {cure}"
    raises(TypeError, message, lambda: dialect.make([np.ones(3)], **{dialect.rate: cosine}))
    raises(TypeError, message, lambda: dialect.make([{"params": [np.ones(3)], dialect.group_rate: cosine}]))
    raises(TypeError, f"weight_decay: {cure}", lambda: MindSporeAdagrad([np.ones(3)], weight_decay=cosine))


def test_a_class_that_is_written_to_a_group(dialect: Dialect) -> None:
    optimizer = dialect.make([np.ones(3)])
    optimizer.param_groups[0][dialect.group_rate] = schedules.constant
    cure = "expected a callable of the number of steps, got the class constant; give constant(...)"
    message = f"{dialect.rate}: {cure}"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([np.ones(3)]))


def test_a_schedule_of_mindspore_where_none_is_expected(dialect: Dialect) -> None:
    """It takes a tensor: with the number of steps, it ends in a SystemError."""
    cell: Any = nn.CosineDecayLR(0.01, 0.1, 10)
    expected = "expected a callable of the number of steps, got MindSpore's CosineDecayLR, which takes a tensor"
    message = f"{expected}; give one of numpy_adagrad.schedules, or construct MindSporeAdagrad with it"
    optimizer = dialect.make([np.ones(3)])
    optimizer.param_groups[0][dialect.group_rate] = cell
    raises_unchanged(optimizer, TypeError, f"{dialect.rate}: {message}", lambda: optimizer.step([np.ones(3)]))
    raises(TypeError, f"schedule: {message}", lambda: schedules.warmup(cell, 5))
    raises(TypeError, f"lr: {message}", lambda: TorchAdagrad([np.ones(3)], lr=cell))


def test_an_integer_beyond_float64_that_is_written_to_a_group(dialect: Dialect) -> None:
    optimizer = dialect.make([np.ones(3)])
    optimizer.param_groups[0][dialect.group_rate] = 10**400
    label = dialect.rate if dialect.optimizer is MindSporeAdagrad else f"param_groups[0]['{dialect.group_rate}']"
    message = f"{label}: expected a number within float64, got a larger one"
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.step([np.ones(3)]))


@pytest.mark.parametrize("key", ["lr_decay", "weight_decay", "eps"])
@pytest.mark.parametrize(
    ("value", "got"),
    [
        (10**400, "a number within float64, got a larger one"),
        (np.str_("0.5"), "a number, got an array of shape () and dtype <U3"),
        (np.complex64(1), "a number, got an array of shape () and dtype complex64"),
    ],
    ids=["large", "text", "complex"],
)
def test_what_is_no_number_in_a_group(key: str, value: Any, got: str) -> None:
    optimizer = TorchAdagrad([np.ones(3)])
    optimizer.param_groups[0][key] = value
    error = ValueError if isinstance(value, int) else TypeError
    raises_unchanged(
        optimizer, error, f"param_groups[0]['{key}']: expected {got}", lambda: optimizer.step([np.ones(3)])
    )


# Options of this package


def test_sparse_weight_decay_is_a_text() -> None:
    value: Any = np.ones(2)
    message = "sparse_weight_decay: expected None or 'touched', got array([1., 1.])"
    raises(ValueError, message, lambda: TorchAdagrad([np.ones(3)], sparse_weight_decay=value))


@pytest.mark.parametrize("dtype", ["foo", "f4,(", 5])
def test_state_dtype_is_a_dtype(dialect: Dialect, dtype: Any) -> None:
    message = f"state_dtype: expected a dtype, got {dtype!r}"
    raises(TypeError, message, lambda: dialect.make([np.ones(3)], state_dtype=dtype))


def test_allocate_is_a_callable(dialect: Dialect) -> None:
    message = "allocate: expected a callable, got int"
    raises(TypeError, message, lambda: dialect.make([np.ones(3)], allocate=5))


# The start of accumulators


@pytest.mark.parametrize("dtype", ["float16", bfloat16, "float32", "float64"])
def test_a_start_beyond_the_dtype_raises(dialect: Dialect, dtype: Any) -> None:
    start = dialect.start
    if start is None:
        return
    largest = {"float16": 65504.0, "float32": float(np.finfo("f4").max)}.get(str(np.dtype(dtype)), 3e38)
    accumulator = dialect.accumulator(dialect.make([np.ones(3, dtype)], **{start: largest}), 0)
    assert np.isfinite(accumulator).all()
    if dtype != "float64":
        beyond = 1e5 if dtype == "float16" else 1e39
        message = f"{start}: expected a number within {np.dtype(dtype)}, got {beyond}"
        raises(ValueError, message, lambda: dialect.make([np.ones(3, dtype)], **{start: beyond}))
    if dtype == "float16":
        wide = dialect.make([np.ones(3, dtype)], state_dtype=np.float32, **{start: 1e5})
        assert_same_bits(dialect.accumulator(wide, 0), np.full(3, 1e5, np.float32))


# Groups


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("learning_rate", "torch calls it lr"),
        ("accum", "torch calls it initial_accumulator_value"),
        ("loss_scale", "torch has no such option: give grad_scale to each step"),
        ("state_dtype", "give it to the constructor, for all groups"),
        ("sparse_weight_decay", "give it to the constructor, for all groups"),
        ("allocate", "give it to the constructor, for all groups"),
    ],
)
def test_names_of_other_options_in_a_group_of_torch_warn(key: str, hint: str) -> None:
    group = {"params": [np.ones(3)], key: 0.1}
    message = f"param_groups: TorchAdagrad does not read the key '{key}'; {hint}"
    with pytest.warns(UserWarning, match=key) as caught:
        optimizer = TorchAdagrad([group])
    assert [(str(warning.message), warning.filename) for warning in caught] == [(message, __file__)]
    assert optimizer.param_groups[0][key] == 0.1
    with pytest.warns(UserWarning, match=key) as caught:
        optimizer.add_param_group({"params": [np.ones(3)], key: 0.1})
    assert [(str(warning.message), warning.filename) for warning in caught] == [(message, __file__)]


def test_other_keys_of_a_group_are_kept_without_a_warning() -> None:
    """As in torch, whose users keep their own entries there: names, scales, what schedulers need."""
    own: dict[str, Any] = {"name": "head", "initial_lr": 0.1, "lr_scale": 2.0, "layer": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = TorchAdagrad([{"params": [np.ones(3)], **own}])
    assert own.items() <= optimizer.param_groups[0].items()


# Flags


@pytest.mark.parametrize("name", ["maximize", "foreach", "differentiable", "fused"])
def test_flags_without_a_truth_value(name: str) -> None:
    option: dict[str, Any] = {name: np.array([True, False])}
    message = f"{name}: expected True or False, got ndarray of shape (2,)"
    raises(TypeError, message, lambda: TorchAdagrad([np.ones(3)], **option))
    raises(TypeError, message, lambda: TorchAdagrad([{"params": [np.ones(3)], **option}]))


@pytest.mark.parametrize("name", ["maximize", "foreach", "differentiable", "fused"])
@pytest.mark.parametrize("value", ["no", b""], ids=repr)
def test_flags_that_are_texts(name: str, value: Any) -> None:
    """The text "no" counted as true."""
    option: dict[str, Any] = {name: value}
    raises(TypeError, f"{name}: expected True or False, got {value!r}", lambda: TorchAdagrad([np.ones(3)], **option))


# Steps


WRONG_FLAGS = [(np.array([True, False]), "ndarray of shape (2,)"), ("no", "'no'")]


@pytest.mark.parametrize(("value", "got"), WRONG_FLAGS, ids=[got for _, got in WRONG_FLAGS])
def test_a_wrong_flag_that_is_written_to_a_group(value: Any, got: str) -> None:
    optimizer = TorchAdagrad([np.ones(3)])
    optimizer.param_groups[0]["maximize"] = value
    message = f"param_groups[0]['maximize']: expected True or False, got {got}"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([np.ones(3)]))


@pytest.mark.parametrize("name", ["lr", "lr_decay", "weight_decay", "eps"])
@pytest.mark.parametrize("value", ["0.1", None, [0.1]], ids=repr)
def test_an_option_of_a_group_that_is_no_number(name: str, value: Any) -> None:
    """It was an error of each step only, which did not name the group."""
    error = f"expected a number or a 1-element array, got {type(value).__name__}"
    group = {"params": [np.ones(3)], name: value}
    raises(TypeError, f"{name}: {error}", lambda: TorchAdagrad([group]))
    optimizer = TorchAdagrad([{"params": [np.ones(2)]}, {"params": [np.ones(2)]}])
    raises_unchanged(optimizer, TypeError, f"{name}: {error}", lambda: optimizer.add_param_group(group))
    optimizer.param_groups[1][name] = value
    grads = [np.ones(2), np.ones(2)]
    message = f"param_groups[1]['{name}']: {error}"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step(grads))


def test_a_call_is_a_step_also_of_a_subclass(dialect: Dialect) -> None:
    calls: list[tuple[Any, dict[str, Any]]] = []
    optimizer_class: Any = dialect.optimizer

    class Counting(optimizer_class):  # type: ignore[misc]
        def step(self, grads: Any = None, **options: Any) -> Any:
            calls.append((grads, options))
            return super().step(grads, **options)

    param: Array = np.ones(3)
    optimizer, grads = Counting([param]), [np.ones(3)]
    optimizer(grads, max_norm=1.0)
    assert optimizer(closure=lambda: (RATE, grads)) == RATE
    assert [options.keys() for _, options in calls] == [{"max_norm"}, {"closure"}]
    assert calls[0][0] is grads
