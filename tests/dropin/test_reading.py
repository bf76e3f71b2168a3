"""How the core reads tensors through DLPack's table: as arrays over their memory, and gradients like the last ones."""

import ctypes
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from helpers.dropin import contents, draw
from helpers.errors import raises
from helpers.torch_arrays import to_numpy
from numpy_adagrad._core import TensorReader
from numpy_adagrad.torch import Adagrad

READER = TensorReader(torch.Tensor)
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128]
OTHERS = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.float8_e5m2]


@pytest.mark.parametrize("dtype", [*FLOATS, torch.int32, torch.int64], ids=str)
def test_an_array_over_a_tensor(dtype: torch.dtype) -> None:
    tensor = draw([(4, 6)], torch.complex128 if dtype.is_complex else torch.float64, 0)[0].mul(100).to(dtype)[1:, ::2]
    array, expected = READER.array_over(tensor, False), to_numpy(tensor)
    assert array is not None
    assert array.dtype == expected.dtype
    assert array.shape == expected.shape
    assert array.strides == (6 * tensor.itemsize, 2 * tensor.itemsize)
    assert array.ctypes.data == tensor.data_ptr()
    assert array.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", OTHERS, ids=str)
def test_a_dtype_without_an_array(dtype: torch.dtype) -> None:
    assert READER.array_over(torch.zeros(4, dtype=dtype), False) is None


def test_as_many_dimensions_as_numpy_1_has() -> None:
    array = READER.array_over(torch.ones([1] * 32), False)
    assert array is not None
    assert array.shape == (1,) * 32
    assert READER.array_over(torch.ones([1] * 33), False) is None


class Table(ctypes.Structure):
    """DLPack's table of functions, of a version to come: torch's table is the older one that it refers to."""

    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("older", ctypes.c_void_p),
        ("rest", ctypes.c_void_p * 5),
    )


def type_with(table: Table) -> type:
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return type(
        "Tensor", (), {"__dlpack_c_exchange_api__": make(ctypes.addressof(table), b"dlpack_exchange_api", None)}
    )


def torchs_table() -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    address: int = get(torch.Tensor.__dlpack_c_exchange_api__, b"dlpack_exchange_api")
    return address


def test_a_table_of_a_version_to_come() -> None:
    table, tensor = Table(2, 0, torchs_table()), torch.arange(3.0)
    array = TensorReader(type_with(table)).array_over(tensor, False)
    assert array is not None
    assert array.ctypes.data == tensor.data_ptr()


def test_no_table_of_version_1() -> None:
    table = Table(2, 0, None)
    message = "tensor_type: expected version 1 of DLPack's exchange API, got another"
    raises(ImportError, message, lambda: TensorReader(type_with(table)))


class Checking(Adagrad):
    """Counts the gradients that Python checks."""

    checked = 0

    def _read_grad(self, *arguments: Any) -> Any:
        self.checked += 1
        return super()._read_grad(*arguments)


def shifted(grad: torch.Tensor, offset: int) -> torch.Tensor:
    """The same gradient, `offset` bytes after a cache line."""
    memory = np.empty(grad.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    memory[start : start + grad.nbytes] = np.frombuffer(to_numpy(grad).tobytes(), np.uint8)
    return torch.frombuffer(memory, dtype=grad.dtype, count=grad.numel(), offset=start).view(grad.shape)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_gradients_like_the_last_ones(dtype: torch.dtype) -> None:
    """Their addresses alone are bound, if their elements are aligned, of which a complex one is a pair."""
    part = dtype.itemsize // (2 if dtype.is_complex else 1)
    params, grads = draw([(5, 3)] * 2, dtype, 0), draw([(5, 3)] * 2, dtype, 1)
    others = [param.clone() for param in params]
    optimizer, reference = Checking(params, lr=0.1), Adagrad(others, lr=0.1)

    def step(grads: list[torch.Tensor], offset: int) -> None:
        for param, grad in zip(params, grads, strict=True):
            param.grad = shifted(grad, offset)
        for _ in range(2):
            optimizer.step()

    for offset in (0, part, 3 * part, 0):
        step(grads, offset)
        for _ in range(2):
            for other, grad in zip(others, grads, strict=True):
                other.grad = grad
            reference.step()
    assert optimizer.checked == len(params)
    message = "grads[0]: expected an array aligned to its elements, got a misaligned one"
    for offset in (1, 2 * part + 1):
        raises(ValueError, message, partial(step, grads, offset))
    for param, other in zip(params, others, strict=True):
        assert to_numpy(param).tobytes() == to_numpy(other).tobytes()


def test_a_gradient_like_the_last_one_in_the_memory_of_a_parameter() -> None:
    memory = torch.zeros(9)
    params = [memory[:3], torch.ones(3)]
    optimizer = Adagrad(params, lr=0.1)
    for param in params:
        param.grad = torch.ones(3)
    optimizer.step()
    params[1].grad = memory[3:6]
    optimizer.step()
    before = contents(params, optimizer)
    for start in (0, 2):
        params[1].grad = memory[start : start + 3]
        raises(ValueError, "grads[1]: expected its own memory, got an overlap with params[0]", optimizer.step)
    assert contents(params, optimizer) == before
