"""Gradients of other libraries, which NumPy reads without a copy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import mindspore
import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.values import normal
from mindspore import Parameter, Tensor
from mindspore.common.sparse_tensor import RowTensorInner
from numpy_adagrad import RowSparse, TorchAdagrad
from numpy_adagrad.inputs.tensors import as_gradient
from numpy_adagrad.inputs.types import Array


class DLPack:
    """An array with DLPack alone."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


class OfMindSpore:
    """As a tensor of MindSpore in bfloat16, which needs NumPy 1."""

    def __init__(self, array: Array) -> None:
        self.asnumpy = lambda: array

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        raise AssertionError("its own method is called")


class Convertible:
    """An array with `__array__` alone, which may run any code."""

    def __init__(self, array: Array, action: Callable[[], None] = lambda: None) -> None:
        self.array, self.action = array, action

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        self.action()
        return self.array

    def __iter__(self) -> Any:
        raise AssertionError("a single array is not iterated over")


LIBRARIES: dict[str, Callable[[Array], Any]] = {
    "torch": torch.from_numpy,
    "jax": jnp.asarray,
    "mindspore": Tensor,
    "dlpack": DLPack,
    "array": Convertible,
}


@pytest.mark.parametrize("convert", LIBRARIES.values(), ids=LIBRARIES)
def test_gradients(dialect: Dialect, convert: Callable[[Array], Any]) -> None:
    """In all forms, mixed with those of NumPy, the results are NumPy's."""
    own, expected = [normal(3, 4), normal(5)], [normal(3, 4), normal(5)]
    optimizer = dialect.optimizer(dict(zip("ab", own, strict=True)))
    reference = dialect.optimizer(dict(zip("ab", expected, strict=True)))
    a, b = normal(3, 4, seed=1), normal(5, seed=2)
    foreign: list[Any] = [convert(a.copy()), convert(b.copy())]
    for call in (
        partial(optimizer.step, foreign),
        partial(optimizer.step, foreign),
        partial(optimizer.step, {"b": foreign[1], "a": foreign[0]}),
        partial(optimizer.step, [a, foreign[1]]),
        partial(optimizer.step, [foreign[0], b]),
        partial(optimizer.step, foreign, max_norm=0.5),
        partial(optimizer.step, closure=lambda: (0.0, tuple(foreign))),
    ):
        call()
        reference.step([a, b], **({"max_norm": 0.5} if "max_norm" in call.keywords else {}))
        for array, other in zip(own, expected, strict=True):
            assert_same_bits(array, other)


@pytest.mark.parametrize("convert", LIBRARIES.values(), ids=LIBRARIES)
def test_a_single_array(dialect: Dialect, convert: Callable[[Array], Any]) -> None:
    """It is one gradient, whatever iterating over it would give."""
    own, expected, grad = normal(3, 4), normal(3, 4), normal(3, 4, seed=1)
    optimizer, reference = dialect.optimizer(own), dialect.optimizer(expected)
    foreign = convert(grad.copy())
    optimizer.step(foreign)
    reference.step(grad)
    assert_same_bits(own, expected)
    optimizer = dialect.optimizer([normal(4), normal(4), normal(4)])
    message = "grads: expected a sequence with an array for each parameter, got one array"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step(foreign))
    message = f"params: expected a NumPy array, got {type(foreign).__name__}"
    if isinstance(foreign, torch.Tensor):
        message += "; numpy_adagrad.torch.Adagrad takes tensors of torch, with torch's rule"
    if isinstance(foreign, Tensor):
        message += "; numpy_adagrad.from_mindspore continues an optimizer of MindSpore"
    raises(TypeError, message, lambda: dialect.optimizer(foreign))


def test_bfloat16() -> None:
    grad = np.array([1, -2, 3], ml_dtypes.bfloat16)
    for foreign in (torch.tensor([1, -2, 3], dtype=torch.bfloat16), jnp.asarray(grad), OfMindSpore(grad)):
        own, expected = np.ones(3, np.float32), np.ones(3, np.float32)
        TorchAdagrad([own]).step([foreign])
        TorchAdagrad([expected]).step([grad])
        assert_same_bits(own, expected)


def test_no_copy() -> None:
    array = normal(3)
    for convert in (torch.from_numpy, DLPack, Convertible):
        read = as_gradient(convert(array), "g")
        assert read is not None
        assert np.shares_memory(read, array)
    on_device = jnp.asarray(array)
    assert np.shares_memory(as_gradient(on_device, "g"), np.asarray(on_device))


def test_tensors_that_require_a_gradient() -> None:
    w = np.ones(3)
    TorchAdagrad([w], lr=0.5, eps=0).step([torch.ones(3, dtype=torch.float64, requires_grad=True)])
    assert_same_bits(w, np.full(3, 0.5))


def test_values_of_rows() -> None:
    """Of torch, they raised torch's own error where a dense gradient is taken."""
    for values in (torch.ones(1, 2, requires_grad=True), torch.ones(1, 2, dtype=torch.bfloat16), jnp.ones((1, 2))):
        grad = RowSparse(torch.tensor([0]), values)
        assert grad.indices.dtype == np.int64
        assert_same_bits(grad.values, np.ones((1, 2), "bfloat16" if values.dtype == torch.bfloat16 else np.float32))
    meta = torch.ones(1, 2, device="meta")
    with pytest.raises(TypeError, match=r"^values: expected an array that NumPy can read, got Tensor: "):
        RowSparse([0], meta)


def test_errors(dialect: Dialect) -> None:
    def fail() -> None:
        raise LookupError("not today\nor ever")

    optimizer = dialect.optimizer({"w": normal(3)})
    cast = "; cast it with np.asarray(grad, np.float32)"
    for grad, error, message in (
        (jnp.ones(3, jnp.int32), TypeError, f"expected float32, got int32{cast}"),
        (torch.ones(3, dtype=torch.float64), TypeError, f"expected float32, got float64{cast}"),
        (Convertible(normal(4)), ValueError, "expected shape (3,), got (4,)"),
        (Convertible(normal(3), fail), TypeError, "expected an array that NumPy can read, got Convertible: not today"),
    ):
        raises_unchanged(optimizer, error, f"grads[0] ('w'): {message}", partial(optimizer.step, [grad]))
    sparse = torch.sparse_coo_tensor([[0]], [1.0], (3,), check_invariants=False)
    message = "expected an array that NumPy can read, got Tensor: it is sparse; convert it with RowSparse.from_torch"
    raises_unchanged(optimizer, TypeError, f"grads[0] ('w'): {message}", lambda: optimizer.step([sparse]))
    of_elements = torch.sparse_coo_tensor([[0], [0]], [1.0], (3, 1), check_invariants=False)
    message = message.replace("RowSparse.from_torch", "to_dense(), or make it with to_sparse(1)")
    raises_unchanged(optimizer, TypeError, f"grads[0] ('w'): {message}", lambda: optimizer.step([of_elements]))


def test_a_row_tensor_of_mindspore(dialect: Dialect) -> None:
    rows = RowTensorInner(Tensor([1], mindspore.int32), Tensor(np.ones((1, 2), np.float32)), (3, 2))
    param, expected = normal(3, 2), normal(3, 2)
    optimizer = dialect.optimizer({"w": param})
    cure = "got RowTensorInner; convert it with RowSparse(grad.indices, grad.values)"
    message = f"grads[0] ('w'): expected an array or a RowSparse, {cure}"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([rows]))
    optimizer.step([RowSparse(rows.indices, rows.values)])
    dialect.optimizer([expected]).step([RowSparse([1], np.ones((1, 2), np.float32))])
    assert_same_bits(param, expected)


def test_code_of_a_gradient_that_changes_a_parameter(dialect: Dialect) -> None:
    """It runs before the arrays are compared: the step sees the array as it is then."""
    w, grad = normal(3), normal(3, seed=1)
    optimizer = dialect.optimizer([w])
    replacement = normal(4)

    def exchange() -> None:
        optimizer.param_groups[0]["params"][0] = replacement

    raised = "expected shape (4,), got (3,)"
    before = w.copy(), replacement.copy()
    with pytest.raises(ValueError, match="expected shape") as caught:
        optimizer.step([Convertible(grad, exchange)])
    assert str(caught.value).endswith(raised)
    assert_same_bits(w, before[0])
    assert_same_bits(replacement, before[1])


def test_a_gradient_that_steps_its_optimizer(dialect: Dialect) -> None:
    optimizer = dialect.optimizer([normal(3)])
    grad = Convertible(normal(3), lambda: optimizer.step([normal(3)]))
    inner = f"{dialect.optimizer.__name__}: called from inside its own step or allocate"
    message = dialect.label("grads", 0) + ": expected an array that NumPy can read, got Convertible: " + inner
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step([grad]))


@pytest.mark.parametrize("kind", [Tensor, Parameter])
def test_parameters_of_mindspore(dialect: Dialect, kind: Any) -> None:
    cure = "numpy_adagrad.from_mindspore continues an optimizer of MindSpore"
    message = f"{dialect.label('params', 0)}: expected a NumPy array, got {kind.__name__}; {cure}"
    raises(TypeError, message, lambda: dialect.optimizer([kind(np.zeros(3, np.float32))]))


def test_what_value_and_grad_returns(dialect: Dialect) -> None:
    optimizer = dialect.optimizer([normal(3), normal(2)])
    cure = "give the gradients alone, or closure=lambda: (loss, grads)"
    message = f"grads: expected arrays in the form of the parameters, got a pair of a number and gradients; {cure}"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.step((jnp.float32(1), [normal(3), normal(2)])))


def test_a_failed_allocation_of_another_library_stays_one(dialect: Dialect) -> None:
    def fail() -> None:
        raise MemoryError("mine")

    optimizer = dialect.optimizer([normal(3)])
    raises_unchanged(optimizer, MemoryError, "mine", lambda: optimizer.step([Convertible(normal(3), fail)]))
