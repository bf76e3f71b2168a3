"""Tensors that a framework gives new memory: our optimizer raises an error before it reads or writes the old one."""

import copy
import pickle
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, TypeAlias

import mindspore
import numpy as np
import pytest
import torch
from helpers.mindspore_arrays import parameter
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, from_mindspore, from_torch, to_mindspore, to_torch
from scipy.sparse import csr_array

Change: TypeAlias = Callable[[Any, Any], Any]
TORCH_MESSAGE = r"^{}: expected the memory that from_torch shared, got other memory; call from_torch again$"
MINDSPORE_MESSAGE = r"^{}: expected the memory that from_mindspore shared, got other memory; call from_mindspore again$"


def torch_optimizer(*, rate_as_tensor: bool = True) -> tuple[Any, Any, TorchAdagrad]:
    torch.manual_seed(0)
    model = torch.nn.Linear(300, 200)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=torch.tensor(0.5) if rate_as_tensor else 0.5, eps=0)
    ours = from_torch(optimizer)
    ours.step(ones_of(model))
    return model, optimizer, ours


def ones_of(model: Any) -> list[Any]:
    return [np.ones(tuple(param.shape), np.float32) for param in model.parameters()]


def set_data(model: Any, optimizer: Any) -> None:
    model.weight.data = torch.zeros(200, 300)


def set_transposed_data(model: Any, optimizer: Any) -> None:
    """At the same address."""
    model.weight.data = model.weight.data[:, :200].t()


def set_vector(model: Any, optimizer: Any) -> None:
    vector = torch.nn.utils.parameters_to_vector(model.parameters())
    torch.nn.utils.vector_to_parameters(vector.detach(), model.parameters())


def send(model: Any, optimizer: Any) -> None:
    """As torch.multiprocessing sends it to another process."""
    ForkingPickler.dumps(model)


TORCH_CHANGES: dict[str, tuple[Change, str]] = {
    "share_memory": (lambda model, optimizer: model.share_memory(), r"params\[0\]"),
    "sent to a process": (send, r"params\[0\]"),
    "data": (set_data, r"params\[0\]"),
    "transposed data": (set_transposed_data, r"params\[0\]"),
    "double": (lambda model, optimizer: model.double(), r"params\[0\]"),
    "vector_to_parameters": (set_vector, r"params\[0\]"),
    "one bias": (lambda model, optimizer: model.bias.share_memory_(), r"params\[1\]"),
    "load_state_dict": (
        lambda model, optimizer: optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict())),
        r"sum\[0\]",
    ),
    "a sum": (lambda model, optimizer: optimizer.state[model.bias]["sum"].share_memory_(), r"sum\[1\]"),
    "a counter": (lambda model, optimizer: optimizer.state[model.bias]["step"].share_memory_(), r"step\[1\]"),
    "no state": (lambda model, optimizer: optimizer.state.clear(), r"sum\[0\]"),
    "order": (lambda model, optimizer: optimizer.param_groups[0]["params"].reverse(), r"params\[0\]"),
    "a rate": (
        lambda model, optimizer: optimizer.param_groups[0]["lr"].share_memory_(),
        r"param_groups\[0\]\['lr'\]",
    ),
}
USES: dict[str, Callable[[Any, Any, Path], Any]] = {
    "state_dict": lambda ours, optimizer, path: ours.state_dict(),
    "load_state_dict": lambda ours, optimizer, path: ours.load_state_dict({}),
    "save": lambda ours, optimizer, path: ours.save(path),
    "deepcopy": lambda ours, optimizer, path: copy.deepcopy(ours),
    "pickle": lambda ours, optimizer, path: pickle.dumps(ours),
}


@pytest.mark.parametrize("name", TORCH_CHANGES)
def test_a_step_after_torch_has_moved_a_tensor_raises(name: str) -> None:
    change, label = TORCH_CHANGES[name]
    model, optimizer, ours = torch_optimizer()
    change(model, optimizer)
    state = [{key: value.clone() for key, value in each.items()} for each in optimizer.state.values()]
    params = [param.detach().clone() for param in model.parameters()]
    for limit in (None, 1.0):
        with pytest.raises(ValueError, match=TORCH_MESSAGE.format(label)):
            ours.step(ones_of(model), max_norm=limit)
    with pytest.raises(ValueError, match=TORCH_MESSAGE.format(label)):
        to_torch(ours, optimizer)
    assert all(map(torch.equal, model.parameters(), params))
    for each, before in zip(optimizer.state.values(), state, strict=True):
        assert all(torch.equal(each[key], before[key]) for key in before)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_no_call_reads_memory_that_torch_has_freed(use: Any, tmp_path: Path) -> None:
    model, optimizer, ours = torch_optimizer()
    model.share_memory()
    with pytest.raises(ValueError, match=TORCH_MESSAGE.format(r"params\[0\]")):
        use(ours, optimizer, tmp_path / "run.safetensors")


def test_a_closure_that_moves_a_tensor_of_torch_raises() -> None:
    model, _, ours = torch_optimizer()

    def closure() -> tuple[float, Any]:
        model.share_memory()
        return 0.0, ones_of(model)

    with pytest.raises(ValueError, match=TORCH_MESSAGE.format(r"params\[0\]")):
        ours.step(closure=closure)


@pytest.mark.parametrize("options", [{}, {"max_norm": 1.0}])
def test_a_schedule_that_moves_a_tensor_of_torch_raises(options: dict[str, Any]) -> None:
    model, _, ours = torch_optimizer()

    def schedule(step: int) -> float:
        model.share_memory()
        return 0.5

    ours.param_groups[0]["lr"] = schedule
    with pytest.raises(ValueError, match=TORCH_MESSAGE.format(r"params\[0\]")):
        ours.step(ones_of(model), **options)


@pytest.mark.parametrize("rate_as_tensor", [True, False])
def test_a_sparse_gradient_that_moves_a_tensor_of_torch_raises(*, rate_as_tensor: bool) -> None:
    """The gradient's own code runs in the middle of the step, where the step may have nothing else to read."""

    class Moving(csr_array):  # type: ignore[misc]
        @property
        def shape(self) -> Any:
            if "moves" in vars(self):
                model.share_memory()
            return super().shape

    model, _, ours = torch_optimizer(rate_as_tensor=rate_as_tensor)
    grads = ones_of(model)
    moving = Moving(grads[0])
    moving.moves = True
    with pytest.raises(ValueError, match=TORCH_MESSAGE.format(r"params\[0\]")):
        ours.step([moving, grads[1]])


def test_parameters_added_to_torch_raise() -> None:
    model, optimizer, ours = torch_optimizer()
    optimizer.add_param_group({"params": [torch.ones(2)]})
    message = r"^optimizer: expected the 7 tensors that from_torch shared, got 11; call from_torch again$"
    with pytest.raises(ValueError, match=message):
        ours.step(ones_of(model))


def test_from_torch_again_continues_in_the_new_memory() -> None:
    model, optimizer, _ = torch_optimizer()
    model.share_memory()
    before = model.bias.detach().clone()
    ours = from_torch(optimizer)
    ours.step(ones_of(model))
    assert torch.equal(optimizer.state[model.bias]["sum"], torch.full((200,), 2.0))
    assert float(optimizer.state[model.bias]["step"]) == 2
    assert bool((model.bias < before).all())


def test_values_loaded_in_place_are_followed() -> None:
    """The model's load_state_dict copies into the same memory."""
    model, _, ours = torch_optimizer()
    model.load_state_dict({key: torch.zeros_like(value) for key, value in model.state_dict().items()})
    ours.step(ones_of(model))
    assert bool((model.bias < 0).all())


def test_a_copy_knows_nothing_of_torch() -> None:
    model, _, ours = torch_optimizer()
    twins = [copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))]
    model.share_memory()
    for twin in twins:
        twin.step(ones_of(model))
        assert float(twin.state[0]["step"]) == 2


def mindspore_optimizer() -> tuple[Any, MindSporeAdagrad]:
    params = [parameter(name, np.ones(50000, np.float32)) for name in "ab"]
    optimizer = nn.Adagrad(params, accum=0.0, learning_rate=0.5)
    ours = from_mindspore(optimizer)
    ours.step([np.ones(50000, np.float32)] * 2)
    return optimizer, ours


def zeros() -> Any:
    return mindspore.Tensor(np.zeros(50000, np.float32))


class Net(nn.Cell):  # type: ignore[misc]
    def __init__(self, params: Any) -> None:
        super().__init__()
        self.params = params


def load_net(optimizer: Any) -> None:
    net = Net(optimizer.parameters)
    mindspore.load_param_into_net(net, {"a": parameter("a", np.zeros(50000, np.float32))})


MINDSPORE_CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "set_data": (
        lambda optimizer: optimizer.parameters[1].set_data(mindspore.Tensor(np.zeros(50000, np.float32))),
        "b",
    ),
    "load_param_into_net": (load_net, "a"),
    "accumulator": (
        lambda optimizer: optimizer.accum[0].set_data(zeros()),
        r"accum\.a",
    ),
    "counter": (
        lambda optimizer: optimizer.global_step.set_data(mindspore.Tensor(np.array([9], np.int32))),
        "global_step",
    ),
}


@pytest.mark.parametrize("name", MINDSPORE_CHANGES)
def test_a_step_after_mindspore_has_moved_a_parameter_raises(name: str) -> None:
    change, label = MINDSPORE_CHANGES[name]
    optimizer, ours = mindspore_optimizer()
    change(optimizer)
    parameters = [*optimizer.parameters, *optimizer.accum, optimizer.global_step]
    before = [each.asnumpy().copy() for each in parameters]
    with pytest.raises(ValueError, match=MINDSPORE_MESSAGE.format(label)):
        ours.step([np.ones(50000, np.float32)] * 2)
    with pytest.raises(ValueError, match=MINDSPORE_MESSAGE.format(label)):
        to_mindspore(ours, optimizer)
    assert all(np.array_equal(each.asnumpy(), old) for each, old in zip(parameters, before, strict=True))


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_no_call_reads_memory_that_mindspore_has_left(use: Any, tmp_path: Path) -> None:
    optimizer, ours = mindspore_optimizer()
    load_net(optimizer)
    with pytest.raises(ValueError, match=MINDSPORE_MESSAGE.format("a")):
        use(ours, optimizer, tmp_path / "run.safetensors")


def test_from_mindspore_again_continues_in_the_new_memory() -> None:
    optimizer, _ = mindspore_optimizer()
    load_net(optimizer)
    from_mindspore(optimizer).step([np.ones(50000, np.float32)] * 2)
    assert (optimizer.parameters[0].asnumpy() < 0).all()
    assert optimizer.global_step.asnumpy() == 2
