"""A run that switches to ours and back, in one memory, has the bits of torch alone."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.torch_arrays import to_numpy, torch_step
from helpers.torch_arrays import to_torch as tensor_of
from helpers.values import bfloat16, draw
from numpy_adagrad import TorchAdagrad, from_torch, to_torch, torch_grads
from numpy_adagrad.inputs.types import Array

DTYPES = ["float32", "float64", "float16", bfloat16]
SHAPES: list[tuple[int, ...]] = [(), (0,), (17,), (4, 5), (33,)]
FORMS = ["plain", "named", "groups", "named groups", "tensor rate", "later group"]
STEPS = 3

# A half type holds these exactly; torch rounds others to it.
EXACT = {"lr": 2**-4, "eps": 2**-8, "weight_decay": 2**-6, "initial_accumulator_value": 2**-3}
ROUNDED = {**EXACT, "lr": 0.037, "lr_decay": 0.01, "eps": 1e-10, "weight_decay": 0.1}


def tensors_of(dtype: Any) -> list[Any]:
    rng = np.random.default_rng(1)
    return [tensor_of(draw(rng, shape, dtype, "normal")) for shape in SHAPES]


def optimizer_of(tensors: Sequence[Any], dtype: Any, form: str, **path: Any) -> Any:
    options: dict[str, Any] = dict(EXACT if np.dtype(dtype).itemsize == 2 else ROUNDED)
    members: list[Any] = list(tensors)
    if "named" in form:
        members = [(f"w{i}", tensor) for i, tensor in enumerate(members)]
    if form == "tensor rate":
        options["lr"] = torch.tensor(options["lr"])
    if "groups" in form:
        members = [{"params": members[:2], "lr": 2**-3, "maximize": True}, {"params": members[2:], "weight_decay": 0}]
    if form != "later group":
        return torch.optim.Adagrad(members, **options, **path)
    optimizer = torch.optim.Adagrad(members[:3], **options, **path)
    optimizer.add_param_group({"params": members[3:], "lr": 0.5, "initial_accumulator_value": 9})
    return optimizer


def grads_of(dtype: Any) -> list[list[Array]]:
    rng = np.random.default_rng(2)
    return [[draw(rng, shape, dtype, "normal") for shape in SHAPES] for _ in range(3 * STEPS)]


def assert_same_run(tensors: Sequence[Any], optimizer: Any, expected: Sequence[Any], unswitched: Any) -> None:
    for i, (tensor, other) in enumerate(zip(tensors, expected, strict=True)):
        assert_same_bits(to_numpy(tensor), to_numpy(other), f"parameter {i}")
        for key in ("sum", "step"):
            theirs = unswitched.state[other][key]
            assert_same_bits(to_numpy(optimizer.state[tensor][key]), to_numpy(theirs), f"{key} {i}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_switched_run(dtype: Any, form: str) -> None:
    """torch, then ours in torch's memory, then torch: 9 steps with the bits of torch alone."""
    tensors, expected, grads = tensors_of(dtype), tensors_of(dtype), grads_of(dtype)
    optimizer, unswitched = (optimizer_of(owned, dtype, form, fused=True) for owned in (tensors, expected))
    for part in grads:
        torch_step(unswitched, expected, part)

    for part in grads[:STEPS]:
        torch_step(optimizer, tensors, part)
    ours = from_torch(optimizer)
    addresses = [tensor.data_ptr() for tensor in tensors]
    for part in grads[STEPS : 2 * STEPS]:
        ours.step(part)
    to_torch(ours, optimizer)
    for part in grads[2 * STEPS :]:
        torch_step(optimizer, tensors, part)
    assert_same_run(tensors, optimizer, expected, unswitched)
    assert addresses == [tensor.data_ptr() for tensor in tensors]


@pytest.mark.parametrize("form", FORMS)
def test_alternating_steps(form: str) -> None:
    """State is shared: each may take the next step without a call in between."""
    tensors, expected, grads = tensors_of("float32"), tensors_of("float32"), grads_of("float32")
    optimizer, unswitched = (optimizer_of(owned, "float32", form, fused=True) for owned in (tensors, expected))
    ours = from_torch(optimizer)
    for k, part in enumerate(grads):
        torch_step(unswitched, expected, part)
        if k % 2:
            torch_step(optimizer, tensors, part)
        else:
            ours.step(part)
    assert_same_run(tensors, optimizer, expected, unswitched)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_into_other_memory(dtype: Any, form: str) -> None:
    """to_torch copies everything that is not shared: here all of it, into an optimizer with other options."""
    tensors, expected, grads = tensors_of(dtype), tensors_of(dtype), grads_of(dtype)
    optimizer, unswitched = (optimizer_of(owned, dtype, form, fused=True) for owned in (tensors, expected))
    ours = from_torch(optimizer)
    for part in grads[:STEPS]:
        torch_step(unswitched, expected, part)
        ours.step(part)

    others = [torch.zeros_like(tensor) for tensor in tensors]
    other = optimizer_of(others, dtype, form, fused=True)
    rate = other.param_groups[0]["lr"]
    for group in other.param_groups:
        changed = {"eps": 9.0, "lr_decay": 9.0, "weight_decay": 9.0, "maximize": not group["maximize"]}
        group.update(changed if form == "tensor rate" else {**changed, "lr": 9.0})
    if form == "tensor rate":
        rate.fill_(9)
    to_torch(ours, other)
    for part in grads[STEPS:]:
        torch_step(unswitched, expected, part)
        torch_step(other, others, part)
    assert_same_run(others, other, expected, unswitched)
    if form == "tensor rate":
        assert other.param_groups[0]["lr"] is rate


def test_groups_names_and_options_are_kept() -> None:
    tensors = tensors_of("float32")
    optimizer = optimizer_of(tensors, "float32", "named groups", foreach=True)
    torch.optim.lr_scheduler.ConstantLR(optimizer)
    states = [optimizer.state[tensor] for tensor in tensors]
    ours = from_torch(optimizer)
    assert all(optimizer.state[tensor] is state for tensor, state in zip(tensors, states, strict=True))
    assert ours.names == ["w0", "w1", "w2", "w3", "w4"]
    for own, group in zip(ours.param_groups, optimizer.param_groups, strict=True):
        assert own.keys() == group.keys()
        assert own["foreach"] is None
        skipped = ("params", "foreach")
        assert {k: v for k, v in own.items() if k not in skipped} == {
            k: v for k, v in group.items() if k not in skipped
        }
    assert ours.defaults == {**optimizer.defaults, "foreach": None}


def test_the_initial_value_of_a_group_is_kept_and_ignored_as_in_torch() -> None:
    tensors = tensors_of("float32")
    optimizer = optimizer_of(tensors, "float32", "later group")
    ours = from_torch(optimizer)
    assert [group["initial_accumulator_value"] for group in ours.param_groups] == [2**-3, 9]
    assert ours.state[4]["sum"][0] == 2**-3


def test_missing_state_is_created() -> None:
    tensors = tensors_of("float32")
    optimizer = optimizer_of(tensors, "float32", "later group", fused=True)
    assert tensors[3] not in optimizer.state
    ours = from_torch(optimizer)
    ours.step([np.ones(shape, np.float32) for shape in SHAPES])
    assert list(optimizer.state) == tensors
    assert [float(state["step"]) for state in optimizer.state.values()] == [1] * 5
    later = torch.optim.Adagrad(tensors[:3])
    later.add_param_group({"params": tensors[3:]})
    copied = [torch.zeros_like(tensor) for tensor in tensors]
    target = torch.optim.Adagrad(copied[:3])
    target.add_param_group({"params": copied[3:]})
    to_torch(ours, target)
    assert list(target.state) == copied


def test_counters_that_are_not_float32_are_replaced() -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        tensor = torch.ones(3, dtype=torch.float32)
        optimizer = torch.optim.Adagrad([tensor])
        assert optimizer.state[tensor]["step"].dtype == torch.float64
        optimizer.state[tensor]["step"].fill_(5)
        from_torch(optimizer).step([np.ones(3, np.float32)])
    finally:
        torch.set_default_dtype(before)
    assert optimizer.state[tensor]["step"].dtype == torch.float32
    assert optimizer.state[tensor]["step"] == 6


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_and_strided_memory_is_shared(dtype: str) -> None:
    tensors = [torch.ones(4, 6, dtype=getattr(torch, dtype)).T, torch.ones(4, 6, dtype=getattr(torch, dtype))[:, ::2]]
    optimizer = torch.optim.Adagrad(tensors, lr=0.5, eps=0)
    ours = from_torch(optimizer)
    ours.step([np.full(tuple(tensor.shape), 3 - 4j, dtype) for tensor in tensors])
    for tensor in tensors:
        assert torch.equal(tensor, torch.full_like(tensor, 0.5 + 0.5j))
        assert torch.equal(optimizer.state[tensor]["sum"], torch.full_like(tensor, 9 + 16j))


def test_subclasses_of_tensors() -> None:
    class Named(torch.Tensor):  # type: ignore[misc]
        pass

    tensor = torch.nn.Parameter(torch.ones(3).as_subclass(Named))
    optimizer = torch.optim.Adagrad([tensor], lr=0.5)
    tensor.grad = torch.ones(3, requires_grad=True).as_subclass(Named)
    ours = from_torch(optimizer)
    (grad,) = torch_grads(optimizer)
    assert type(grad) is np.ndarray
    ours.step([grad])
    state = {"step": torch.tensor(7.0), "sum": torch.full((3,), 4.0).as_subclass(Named)}
    ours.load_state_dict({**optimizer.state_dict(), "state": {0: state}})
    assert (tensor.tolist(), optimizer.state[tensor]["sum"].tolist()) == ([0.5] * 3, [4.0] * 3)


def test_tied_parameters_and_rates_in_tensors_stay_shared() -> None:
    rate = torch.tensor(0.5)
    tensor = torch.zeros(2, requires_grad=True)
    ours = from_torch(torch.optim.Adagrad([tensor], lr=rate, eps=0))
    ours.step([np.ones(2, np.float32)])
    rate.fill_(0)
    ours.step([np.ones(2, np.float32)])
    assert tensor.tolist() == [-0.5, -0.5]


def test_a_scheduled_rate_is_written_as_the_value_last_used() -> None:
    ours = TorchAdagrad([np.ones(2, np.float32)], lr=lambda step: 1 / (step + 2))
    for _ in range(3):
        ours.step([np.ones(2, np.float32)])
    optimizer = torch.optim.Adagrad([torch.ones(2)])
    before = contents(ours)
    to_torch(ours, optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert contents(ours) == before


def test_options_that_are_arrays_are_written_as_numbers() -> None:
    ours = TorchAdagrad([np.ones(2, np.float32)])
    ours.param_groups[0].update(lr=np.array(0.5), eps=np.array([0.25]), maximize=np.True_)
    optimizer = torch.optim.Adagrad([torch.ones(2)])
    to_torch(ours, optimizer)
    written = [optimizer.param_groups[0][key] for key in ("lr", "eps", "maximize")]
    assert [(type(value), value) for value in written] == [(float, 0.5), (float, 0.25), (bool, True)]


def test_a_group_can_be_added() -> None:
    tensor, array = torch.zeros(2), np.zeros(3)
    ours = from_torch(torch.optim.Adagrad([tensor], lr=0.5, eps=0))
    ours.add_param_group({"params": [array]})
    ours.step([np.ones(2, np.float32), np.ones(3)])
    assert (tensor.tolist(), array.tolist()) == ([-0.5] * 2, [-0.5] * 3)


def test_a_copy_updates_its_own_arrays() -> None:
    tensor = torch.zeros(2)
    ours = from_torch(torch.optim.Adagrad([tensor], lr=0.5))
    copy.deepcopy(ours).step([np.ones(2, np.float32)])
    assert tensor.tolist() == [0, 0]
