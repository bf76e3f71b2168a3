"""Errors about tensors, states, groups and the environment, and those that are torch's own."""

import subprocess
import sys
from collections import UserDict
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from helpers.dropin import contents, parameters, set_grads
from helpers.errors import error_of, raises
from numpy_adagrad import _core
from numpy_adagrad.migration.torch_memory import READER
from numpy_adagrad.torch import ROLES, WATCHED_KEYS, Adagrad
from torch.testing._internal.two_tensor import TwoTensor


def test_tensors_elsewhere() -> None:
    param = torch.empty(4, device="meta", requires_grad=True)
    param.grad = torch.empty(4, device="meta")
    optimizer = Adagrad([param])
    raises(ValueError, "params[0]: expected a strided tensor on the CPU, got torch.strided on meta", optimizer.step)


def test_tensors_without_memory_of_their_own() -> None:
    param = torch.nn.Parameter(TwoTensor(torch.ones(4), torch.ones(4)))
    param.grad = TwoTensor(torch.ones(4), torch.ones(4))
    text = "params[0]: expected a tensor with its own memory, got TwoTensor"
    raises(TypeError, text, Adagrad([param]).step)


@pytest.mark.parametrize("lazy", [lambda z: z.conj(), lambda z: z.conj().imag], ids=["conjugated", "negated"])
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("role", ["params", "sum"])
@pytest.mark.parametrize("size", [1, 2])
def test_tensors_that_become_lazy(lazy: Callable[[Any], Any], warm: bool, role: str, size: int) -> None:
    """After a step, the memory was updated as if it held the values."""
    complex_values = torch.full((size,), 2 + 3j)
    values = lazy(complex_values).resolve_conj().resolve_neg()
    plain = complex_values if values.is_complex() else complex_values.imag
    param = torch.nn.Parameter(plain.clone() if role == "sum" else plain)
    optimizer = Adagrad([param], lr=0.5)
    if role == "sum":
        optimizer.state[param]["sum"] = plain
    param.grad = torch.ones_like(param)
    if warm:
        optimizer.step()
    if role == "sum":
        optimizer.state[param]["sum"] = lazy(complex_values)
    else:
        param.data = lazy(complex_values)
    before = complex_values.clone()
    message = f"{role}[0]: expected a tensor with its own values, got a conjugated or negated view"
    for _ in range(2):
        raises(ValueError, message, optimizer.step)
        assert torch.equal(complex_values, before)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("warm", [False, True])
def test_a_counter_that_counts_nothing(index: int, warm: bool) -> None:
    params = parameters([(3,), (3,)])
    optimizer = Adagrad(params, lr=0.1)
    set_grads(params, 0)
    if warm:
        optimizer.step()
    optimizer.state[params[index]]["step"].fill_(torch.nan)
    before = contents(params, optimizer)
    raises(ValueError, f"step[{index}]: expected a whole number of steps, got nan", optimizer.step)
    assert contents(params, optimizer) == before


def test_state_without_a_tensor() -> None:
    (param,) = parameters([(4,)])
    optimizer = Adagrad([param])
    set_grads([param], 0)
    optimizer.state[param]["sum"] = None
    raises(TypeError, "sum[0]: expected a tensor, got NoneType", optimizer.step)


def test_states_that_are_no_dicts() -> None:
    (param,) = parameters([(4,)])
    optimizer = Adagrad([param])
    set_grads([param], 0)
    optimizer.state[param] = UserDict(optimizer.state[param])
    raises(TypeError, "state[0]: expected a dict, got UserDict; give it as dict(...)", optimizer.step)
    optimizer.state = MappingProxyType({})
    raises(TypeError, "state: expected a mutable mapping, got mappingproxy", optimizer.step)


@pytest.mark.parametrize("warm", [False, True])
def test_groups_that_are_no_dicts(warm: bool) -> None:
    (param,) = parameters([(4,)])
    optimizer = Adagrad([param])
    set_grads([param], 0)
    if warm:
        optimizer.step()
    optimizer.param_groups[0] = UserDict(optimizer.param_groups[0])
    raises(TypeError, "param_groups[0]: expected a dict, got UserDict", optimizer.step)


def test_tensors_of_a_plan_that_are_not_as_many_as_its_arrays() -> None:
    plan = _core.TensorPlan("torch", ROLES, WATCHED_KEYS, READER)
    array, tensor = np.zeros(3, np.float32), torch.zeros(3)
    plan.add_groups([{"params": [array]}], [array.copy()], [np.zeros((), np.float32)], [], np.zeros(1, np.int32))
    message = "params: expected a tensor and a state for each array"
    for params, states in (([tensor], []), ([], [None]), ([tensor] * 2, [None] * 2)):
        raises(ValueError, message, partial(plan.add_tensors, params, states, {}))


def test_a_gradient_of_another_dtype() -> None:
    (param,) = parameters([(4,)], torch.float64)
    optimizer = Adagrad([param])
    param.data = param.data.float()
    param.grad = torch.ones(4)
    param.data = param.data.double()
    raises(TypeError, "grads[0]: expected float64, got float32; cast it with .to(torch.float64)", optimizer.step)


def test_arrays_in_a_state_dict() -> None:
    optimizer = Adagrad(parameters([(4,)]))
    saved = optimizer.state_dict()
    saved["state"][0] = {key: value.numpy() for key, value in saved["state"][0].items()}
    text = "state[0]['step']: expected a tensor, got an array; state_dict(tensors=True) has tensors"
    raises(TypeError, text, lambda: optimizer.load_state_dict(saved))


def test_integers() -> None:
    param = torch.zeros(4, dtype=torch.int32)
    param.grad = torch.ones(4, dtype=torch.int32)
    optimizer = Adagrad([param])
    text = "params[0]: expected a floating-point dtype up to float64 or complex128, got int32"
    raises(TypeError, text, optimizer.step)


def test_differentiable() -> None:
    text = "differentiable: expected False, as autograd does not see the step, got True; torch.optim.Adagrad has it"
    raises(ValueError, text, lambda: Adagrad(parameters(), differentiable=True))
    optimizer = Adagrad(parameters())
    raises(ValueError, text, lambda: optimizer.add_param_group({"params": parameters(), "differentiable": True}))
    assert len(optimizer.param_groups) == 1


TORCH_CALLS: list[Callable[[Any], object]] = [
    lambda kind: kind(parameters(), lr=-1.0),
    lambda kind: kind(parameters(), lr=torch.tensor([1.0, 2.0])),
    lambda kind: kind(parameters(), lr_decay=-1.0),
    lambda kind: kind(parameters(), weight_decay=-1.0),
    lambda kind: kind(parameters(), eps=-1.0),
    lambda kind: kind(parameters(), initial_accumulator_value=-1.0),
    lambda kind: kind(parameters(), fused=True, foreach=True),
    lambda kind: kind([]),
    lambda kind: kind(torch.ones(2)),
    lambda kind: kind([1]),
    lambda kind: kind([torch.ones(2, requires_grad=True) * 2]),
    lambda kind: kind(parameters()).add_param_group([1]),
    lambda kind: kind(parameters()).add_param_group({}),
    lambda kind: kind(parameters()).load_state_dict({}),
    lambda kind: kind(parameters()).load_state_dict({"state": {}, "param_groups": []}),
    lambda kind: kind(parameters(), rate=1),
]


@pytest.mark.parametrize("call", TORCH_CALLS)
def test_the_errors_of_torch(call: Callable[[Any], object]) -> None:
    assert error_of(lambda: call(Adagrad)) == error_of(lambda: call(torch.optim.Adagrad))


def test_bfloat16_without_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    params = parameters(dtype=torch.bfloat16)
    optimizer = Adagrad(params)
    set_grads(params, 0)
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    text = 'expected ml_dtypes to be installed for bfloat16; run `pip install "numpy-adagrad[bf16]"`'
    raises(ImportError, f"torch.bfloat16: {text}", optimizer.step)


@pytest.mark.parametrize(
    ("torch_module", "text"),
    [
        ("None", "numpy_adagrad.torch: expected torch to be installed; run `pip install torch`"),
        (
            "types.SimpleNamespace(Tensor=int, __version__='2.9.0')",
            "numpy_adagrad.torch: expected torch 2.10 or later, got 2.9.0",
        ),
    ],
)
def test_without_a_usable_torch(torch_module: str, text: str) -> None:
    program = f"import sys, types; sys.modules['torch'] = {torch_module}; import numpy_adagrad.torch"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stderr.splitlines()[-1] == f"ImportError: {text}"
