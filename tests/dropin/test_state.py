"""State dicts go both ways between torch's optimizer and ours; copies and files continue the run."""

import copy
import io
import pickle
from collections import UserDict
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest
import torch
from helpers.dropin import SIZES, assert_same, pair, parameters, set_grads
from numpy_adagrad.torch import Adagrad
from torch.utils.weak import WeakTensorKeyDictionary

OPTIONS: dict[str, Any] = {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.5}


def steps(params: list[torch.Tensor], optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    for step in range(first, last):
        set_grads(params, step, without=[step % 4])
        optimizer.step()


def saved_and_loaded(content: Any) -> Any:
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return torch.load(file)


def test_it_is_an_adagrad_with_its_defaults() -> None:
    ours, theirs = Adagrad(parameters()), torch.optim.Adagrad(parameters())
    assert isinstance(ours, torch.optim.Adagrad)
    assert ours.defaults == theirs.defaults
    assert repr(ours) == repr(theirs)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert ours.state_dict()["param_groups"] == theirs.state_dict()["param_groups"]
    assert_same(ours, theirs)


@pytest.mark.parametrize("named", [False, True])
def test_a_run_that_changes_optimizers_twice(named: bool) -> None:
    """torch, ours, torch, ours: the bits of torch alone."""
    params, reference = parameters(), parameters()
    alone = torch.optim.Adagrad(reference, fused=True, **OPTIONS)
    given: Any = [(f"w{i}", param) for i, param in enumerate(params)] if named else params
    optimizer: torch.optim.Optimizer = torch.optim.Adagrad(given, fused=True, **OPTIONS)
    for turn in range(4):
        steps(params, optimizer, 5 * turn, 5 * turn + 5)
        saved = saved_and_loaded(optimizer.state_dict())
        optimizer = torch.optim.Adagrad(given) if turn % 2 else Adagrad(given)
        optimizer.load_state_dict(saved)
    steps(reference, alone, 0, 20)
    assert_same(optimizer, alone)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))])
def test_copies_continue_the_run(copied: Callable[[Any], Any]) -> None:
    ours, optimizer, theirs, reference = pair(**OPTIONS)
    steps(ours, optimizer, 0, 3)
    steps(theirs, reference, 0, 6)
    copied_optimizer = copied(optimizer)
    assert type(copied_optimizer) is Adagrad
    steps(copied_optimizer.param_groups[0]["params"], copied_optimizer, 3, 6)
    steps(ours, optimizer, 3, 6)
    assert_same(copied_optimizer, reference)
    assert_same(optimizer, reference)


def test_a_partial_state_dict() -> None:
    """State that is missing is created when its parameter gets a gradient, as in torch."""
    ours, optimizer, theirs, reference = pair(**OPTIONS)
    for opt in (optimizer, reference):
        saved = opt.state_dict()
        saved["state"] = {1: {"step": 7, "sum": torch.full(SIZES[1], 3.0)}, 3: {"step": 2.0, "sum": torch.ones(2, 3)}}
        opt.load_state_dict(saved)
    for params, opt in ((ours, optimizer), (theirs, reference)):
        set_grads(params, 0, without=[0, 2, 5])
        opt.step()
    assert_same(optimizer, reference)
    assert len(optimizer.state) == len(reference.state) == 7
    steps(ours, optimizer, 0, 4)
    steps(theirs, reference, 0, 4)
    assert_same(optimizer, reference)


def test_a_hook_that_converts_a_state_dict() -> None:
    """torch calls it before it reads the state dict."""

    def with_tensors(_: Any, saved: dict[str, Any]) -> dict[str, Any]:
        entries = saved["state"].items()
        return {**saved, "state": {k: {key: torch.tensor(v) for key, v in entry.items()} for k, entry in entries}}

    params, optimizer, _, reference = pair([(3,)])
    steps(params, optimizer, 1, 3)
    saved = optimizer.state_dict()
    saved["state"] = {k: {key: v.numpy() for key, v in entry.items()} for k, entry in saved["state"].items()}
    for opt in (optimizer, reference):
        opt.register_load_state_dict_pre_hook(with_tensors)
        opt.load_state_dict(saved)
    assert [entry["sum"].tolist() for entry in optimizer.state.values()] == [
        entry["sum"].tolist() for entry in reference.state.values()
    ]


def test_a_counter_of_one_element() -> None:
    (param,) = parameters([(3,)])
    optimizer = Adagrad([param])
    optimizer.state[param]["step"] = torch.ones(1)
    set_grads([param], 0)
    optimizer.step()
    assert optimizer.state[param]["step"].tolist() == 2


def test_a_later_group_under_another_default_device() -> None:
    params = parameters([(3,), (2,)])
    optimizer = Adagrad(params[:1])
    optimizer.add_param_group({"params": params[1:]})
    set_grads(params, 0)
    with torch.device("meta"):
        optimizer.step()
    assert optimizer.state[params[1]]["step"].device.type == "cpu"


class Counter(torch.Tensor):  # type: ignore[misc]
    """A step counter as torch makes it where the default device is a GPU."""

    device = torch.device("cuda")


def test_counters_on_another_device() -> None:
    ours, optimizer, theirs, reference = pair(lr_decay=0.1)
    for param in ours:
        optimizer.state[param]["step"] = torch.tensor(0.0).as_subclass(Counter)
    for step in range(2):
        set_grads(ours, step)
        set_grads(theirs, step)
        optimizer.step()
        reference.step()
    assert {optimizer.state[param]["step"].device.type for param in ours} == {"cpu"}
    assert_same(optimizer, reference)


def test_groups_in_a_tuple() -> None:
    ours, optimizer, theirs, reference = pair()
    for step in range(2):
        for params, opt in ((ours, optimizer), (theirs, reference)):
            opt.param_groups = tuple(opt.param_groups)
            set_grads(params, step)
            opt.step()
    assert_same(optimizer, reference)


@pytest.mark.parametrize("kind", [UserDict, WeakTensorKeyDictionary])
def test_states_in_another_mapping(kind: Callable[[Any], MutableMapping[Any, Any]]) -> None:
    """torch takes any mapping; it stays the optimizer's, with its changes."""
    ours, optimizer, theirs, reference = pair(**OPTIONS)
    mapping = kind(optimizer.state)
    for params, opt in ((ours, optimizer), (theirs, reference)):
        opt.state = kind(opt.state) if opt is reference else mapping
        steps(params, opt, 0, 3)
        opt.state[params[4]] = {"step": torch.tensor(9.0), "sum": torch.ones(15)}
        steps(params, opt, 3, 5)
    assert optimizer.state is mapping
    assert_same(optimizer, reference)


def test_a_later_group_with_states_in_another_mapping() -> None:
    (param,), (later,) = parameters([(3,)]), parameters([(2,)])
    optimizer = Adagrad([param])
    optimizer.state = UserDict(optimizer.state)
    optimizer.add_param_group({"params": [later]})
    for step in range(2):
        set_grads([param, later], step)
        optimizer.step()
    assert [optimizer.state[one]["step"].item() for one in (param, later)] == [2, 2]


def test_a_later_group() -> None:
    ours, optimizer, theirs, reference = pair(**OPTIONS)
    for params, opt in ((ours, optimizer), (theirs, reference)):
        steps(params, opt, 0, 2)
        later = parameters([(9,), (2, 2)])
        opt.add_param_group({"params": later, "lr": 0.5, "initial_accumulator_value": 9.0})
        assert later[0] not in opt.state
        steps(params, opt, 2, 3)
        set_grads(later, 1, without=[1])
        opt.step()
        set_grads(later, 2)
        opt.step()
    assert_same(optimizer, reference)


@pytest.fixture
def _double_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_double_by_default")
def test_a_double_default_dtype() -> None:
    """torch's default path then counts in float64, its fused one in float32; the next step replaces the counter."""
    ours, optimizer, theirs, reference = pair(**OPTIONS)
    steps(ours, optimizer, 0, 4)
    steps(theirs, reference, 0, 4)
    assert_same(optimizer, reference)
