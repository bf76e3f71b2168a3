"""Groups and parameters that are rearranged in place: the next step and the state follow them, as in torch."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.errors import raises_unchanged
from helpers.values import normal
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

NAMES = ["a", "b", "c", "d"]
KEYS = ("params", "param_names")


def move(source: Any, index: int, target: Any) -> None:
    for key in KEYS:
        target[key].append(source[key].pop(index))


def like(group: Any, **options: Any) -> Any:
    return {**group, "params": [], "param_names": [], **options}


def append_to_another(groups: list[Any], rate: str) -> None:
    move(groups[0], 1, groups[1])


def append_to_a_new_group(groups: list[Any], rate: str) -> None:
    groups.append(like(groups[0], **{rate: 0.125}))
    move(groups[0], 1, groups[-1])


def split(groups: list[Any], rate: str) -> None:
    """In two, so that the flat order stays."""
    groups.insert(1, like(groups[0], **{rate: 0.125}))
    move(groups[0], 1, groups[1])


def exchange(groups: list[Any], rate: str) -> None:
    """Two parameters, so that the sizes stay."""
    for key in KEYS:
        groups[0][key][0], groups[1][key][0] = groups[1][key][0], groups[0][key][0]


def insert_an_empty_group(groups: list[Any], rate: str) -> None:
    groups.insert(0, like(groups[0], **{rate: 0.125}))


def remove_an_emptied_group(groups: list[Any], rate: str) -> None:
    while groups[0]["params"]:
        move(groups[0], 0, groups[1])
    del groups[0]


def reverse_groups(groups: list[Any], rate: str) -> None:
    groups.reverse()


def reverse_a_group(groups: list[Any], rate: str) -> None:
    for key in KEYS:
        groups[0][key].reverse()


def other_lists(groups: list[Any], rate: str) -> None:
    for key in KEYS:
        one, other = groups[0][key], groups[1][key]
        groups[0][key], groups[1][key] = [one[0], *other], one[1:]


CHANGES: list[Callable[[list[Any], str], None]] = [
    append_to_another,
    append_to_a_new_group,
    split,
    exchange,
    insert_an_empty_group,
    remove_an_emptied_group,
    reverse_groups,
    reverse_a_group,
    other_lists,
]


def two_groups(rate: str, make: Callable[[str], Any]) -> list[Any]:
    return [
        {"params": [(name, make(name)) for name in names], rate: value}
        for names, value in ((NAMES[:2], 0.5), (NAMES[2:], 0.25))
    ]


def value(name: str, seed: int = 0) -> Any:
    return normal(5, seed=10 * seed + NAMES.index(name))


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_each_parameter_takes_the_options_of_its_group(
    dialect: Dialect, change: Callable[[list[Any], str], None], by_name: bool
) -> None:
    """It trains as in its own optimizer, with the rate that its group has now. So too after a second change."""
    rate = dialect.group_rate
    optimizer = dialect.make(two_groups(rate, value))
    alone = {name: dialect.make([{"params": [value(name)]}]) for name in NAMES}
    for seed in range(1, 7):
        names = [name for group in optimizer.param_groups for name in group["param_names"]]
        grads = {name: value(name, seed) for name in names}
        optimizer.step(grads if by_name else list(grads.values()))
        for group in optimizer.param_groups:
            for name in group["param_names"]:
                alone[name].param_groups[0][rate] = group[rate]
                alone[name].step([grads[name]])
        params = [param for group in optimizer.param_groups for param in group["params"]]
        for i, (name, param) in enumerate(zip(names, params, strict=True)):
            assert_same_bits(param, alone[name].param_groups[0]["params"][0], f"{name} after step {seed}")
            accumulators = dialect.accumulator(optimizer, i), dialect.accumulator(alone[name], 0)
            assert_same_bits(*accumulators, f"accumulator of {name} after step {seed}")
        if seed == 2:
            change(optimizer.param_groups, rate)
        if seed == 4:
            reverse_groups(optimizer.param_groups, rate)


@pytest.mark.parametrize("change", CHANGES)
def test_as_torch_does(change: Callable[[list[Any], str], None]) -> None:
    """Rate, decays, direction and step counts."""
    ours = two_groups("lr", value)
    theirs = two_groups("lr", lambda name: torch.tensor(value(name)))
    for groups in (ours, theirs):
        groups[0].update(maximize=True, weight_decay=0.125)
    optimizers: list[Any] = [
        TorchAdagrad(ours, lr_decay=0.5),
        torch.optim.Adagrad(theirs, lr_decay=0.5, fused=True),
    ]
    for seed in range(1, 5):
        if seed == 3:
            for optimizer in optimizers:
                change(optimizer.param_groups, "lr")
        numpy_params, torch_params = (
            [param for group in optimizer.param_groups for param in group["params"]] for optimizer in optimizers
        )
        grads = [normal(5, seed=10 * seed + i) for i in range(len(NAMES))]
        for param, grad in zip(torch_params, grads, strict=True):
            param.grad = torch.tensor(grad)
        optimizers[0].step(grads)
        optimizers[1].step()
        for i, (ours_now, theirs_now) in enumerate(zip(numpy_params, torch_params, strict=True)):
            assert_same_bits(ours_now, theirs_now.numpy(), f"parameter {i} after step {seed}")
            assert_same_bits(optimizers[0].state[i]["sum"], optimizers[1].state[theirs_now]["sum"].numpy(), f"sum {i}")
        saved, saved_by_torch = (optimizer.state_dict() for optimizer in optimizers)
        assert [group["params"] for group in saved["param_groups"]] == [
            group["params"] for group in saved_by_torch["param_groups"]
        ]
        for i, state in saved_by_torch["state"].items():
            assert_same_bits(saved["state"][i]["sum"], state["sum"].numpy(), f"saved sum {i}")


@pytest.mark.parametrize("change", CHANGES)
def test_a_state_dict_follows_at_once(dialect: Dialect, change: Callable[[list[Any], str], None]) -> None:
    """Also before the next step."""
    optimizer = dialect.make(two_groups(dialect.group_rate, value))
    optimizer.step([value(name, 1) for name in NAMES])
    key = dialect.optimizer._accumulator
    held = dict(zip(NAMES, dialect.accumulators(optimizer), strict=True))
    change(optimizer.param_groups, dialect.group_rate)
    if dialect.optimizer is MindSporeAdagrad:
        # A new group shares the name of its rate with another.
        for group in optimizer.param_groups:
            group["lr"] = 0.5
    saved = optimizer.state_dict()
    if "param_groups" not in saved:  # by name, as in MindSpore
        assert all(saved[f"{key}.{name}"] is held[name] for name in NAMES)
        return
    for group in saved["param_groups"]:
        for i, name in zip(group["params"], group["param_names"], strict=True):
            assert saved["state"][i][key] is held[name]


@pytest.mark.parametrize("change", CHANGES)
def test_the_state_follows_at_once(dialect: Dialect, change: Callable[[list[Any], str], None]) -> None:
    """Also a view of it that was made before."""
    optimizer = dialect.make(two_groups(dialect.group_rate, value))
    state, key = optimizer.state, dialect.optimizer._accumulator
    held = dict(zip(NAMES, dialect.accumulators(optimizer), strict=True))
    change(optimizer.param_groups, dialect.group_rate)
    assert [state[i][key] is held[name] for i, name in enumerate(optimizer.names)] == [True] * 4
    assert len(state) == 4


def test_a_parameter_that_comes_back_continues_with_its_state(dialect: Dialect) -> None:
    """As in torch: a step without it, and a look at the state, lose nothing."""
    optimizer = dialect.make(two_groups(dialect.group_rate, value))
    alone = dialect.make([{"params": [value("b")], dialect.group_rate: 0.5}])
    optimizer.step([value(name, 1) for name in NAMES])
    alone.step([value("b", 1)])
    aside: dict[str, list[Any]] = {"params": [], "param_names": []}
    move(optimizer.param_groups[0], 1, aside)
    optimizer.step([value(name, 2) for name in ("a", "c", "d")])
    assert len(optimizer.state) == 3
    move(aside, 0, optimizer.param_groups[1])
    for one in (alone, optimizer):
        for group in one.param_groups:
            group[dialect.group_rate] = 0.125
    optimizer.step([value(name, 3) for name in ("a", "c", "d", "b")])
    alone.step([value("b", 3)])
    assert_same_bits(optimizer.param_groups[1]["params"][2], alone.param_groups[0]["params"][0], "b")
    assert_same_bits(dialect.accumulator(optimizer, 3), dialect.accumulator(alone, 0), "its accumulator")


@pytest.mark.parametrize("late", [False, True])
def test_a_parameter_moves_into_a_group_that_is_added(dialect: Dialect, late: bool) -> None:
    """As in torch, at once or after steps without it."""
    optimizer = dialect.make(two_groups(dialect.group_rate, value))
    optimizer.step([value(name, 1) for name in NAMES])
    held = dialect.accumulator(optimizer, 1)
    aside: dict[str, list[Any]] = {"params": [], "param_names": []}
    move(optimizer.param_groups[0], 1, aside)
    if late:
        optimizer.step([value(name, 2) for name in ("a", "c", "d")])
    optimizer.add_param_group({"params": [("b", *aside["params"])], dialect.group_rate: 0.125})
    assert dialect.accumulator(optimizer, 3) is held
    before = held.copy()
    optimizer.step([None, None, None, value("b", 3)])
    assert (held != before).all()
    message = "params[4] ('e'): expected its own memory, got the same array as params[3] ('b')"
    group = {"params": [("e", *aside["params"])]}
    raises_unchanged(optimizer, ValueError, message, lambda: optimizer.add_param_group(group))


def test_a_copy_keeps_the_state_of_a_parameter_in_no_group(dialect: Dialect) -> None:
    optimizer = dialect.make(two_groups(dialect.group_rate, value))
    optimizer.step([value(name, 1) for name in NAMES])
    held = dialect.accumulator(optimizer, 1).copy()
    aside: dict[str, list[Any]] = {"params": [], "param_names": []}
    move(optimizer.param_groups[0], 1, aside)
    optimizer.step([value(name, 2) for name in ("a", "c", "d")])
    twin, aside = copy.deepcopy((optimizer, aside))
    move(aside, 0, twin.param_groups[1])
    assert_same_bits(dialect.accumulator(copy.deepcopy(twin), 3), held)
    assert_same_bits(dialect.accumulator(twin, 3), held)
