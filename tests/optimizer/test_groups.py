"""Groups: those added later, and the order in which MindSpore takes their parameters."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.bits import assert_same_bits
from helpers.contents import contents
from helpers.errors import Rule
from helpers.torch_arrays import to_numpy, to_torch, torch_step
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array

RULES = [TorchAdagrad, MindSporeAdagrad]
each_rule = pytest.mark.parametrize("rule", RULES)


def draw_all(*sizes: int) -> list[Array]:
    rng = np.random.default_rng(1)
    return [rng.standard_normal(size).astype(np.float32) for size in sizes]


def test_a_group_added_to_torch() -> None:
    """With the start and the options of the constructor, as torch's lazily made state has them."""
    params, added = draw_all(3, 4), draw_all(5, 2)
    tensors, more = [to_torch(p) for p in params], [to_torch(p) for p in added]
    options: dict[str, Any] = {"lr": 0.3, "lr_decay": 0.1, "initial_accumulator_value": 0.5}
    ours, theirs = TorchAdagrad(params, **options), torch.optim.Adagrad(tensors, fused=True, **options)
    ours.step(draw_all(3, 4))
    torch_step(theirs, tensors, draw_all(3, 4))
    ours.add_param_group({"params": added, "weight_decay": 0.1, "note": 1})
    theirs.add_param_group({"params": more, "weight_decay": 0.1, "note": 1})
    for step in range(3):
        grads = draw_all(3, 4, 5, 2)
        ours.step(grads)
        torch_step(theirs, tensors + more, grads)
        for i, (param, tensor) in enumerate(zip(params + added, tensors + more, strict=True)):
            assert_same_bits(param, to_numpy(tensor), f"parameter {i}, step {step}")
            assert_same_bits(ours.state[i]["sum"], to_numpy(theirs.state[tensor]["sum"]), f"sum {i}, step {step}")
    assert ours.state_dict(tensors=True)["param_groups"] == theirs.state_dict()["param_groups"]
    assert [int(state["step"]) for state in ours.state.values()] == [4, 4, 3, 3]


def test_a_group_added_to_mindspore() -> None:
    """At the shared global step, with the constructor's start."""
    params, added = draw_all(3, 4), draw_all(5)
    ours = MindSporeAdagrad([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], 0.25, [0.3, 0.1, 0.2])
    ours.step(draw_all(3, 4))
    ours.add_param_group({"params": added, "weight_decay": 0.1})
    late = MindSporeAdagrad([{"params": [added[0].copy()], "weight_decay": 0.1}], 0.25, [0.3, 0.1, 0.2])
    late.global_step[...] = 1
    for _ in range(2):
        grads = draw_all(3, 4, 5)
        ours.step(grads)
        late.step(grads[2:])
        assert_same_bits(added[0], late.param_groups[0]["params"][0])
        assert_same_bits(ours.state[2]["accum"], late.state[0]["accum"])
    assert ours.names == ["param0", "param1", "param2"]
    assert [group["lr_name"] for group in ours.param_groups] == [
        "learning_rate",
        "learning_rate_group_1",
        "learning_rate",
    ]
    ours.add_param_group({"params": {"w": np.ones(2)}, "lr": 0.5})
    assert (ours.names[-1], ours.param_groups[-1]["lr_name"]) == ("w", "learning_rate_group_3")


def readonly() -> Array:
    array = np.ones(3)
    array.flags.writeable = False
    return array


MESSAGES = {
    TorchAdagrad: [
        (1, TypeError, "param_group must be a dict, but got <class 'int'>"),
        (
            {"params": [np.ones(2)], "initial_accumulator_value": 0.5},
            ValueError,
            "initial_accumulator_value: expected the constructor's in every group, 0, got 0.5",
        ),
        (
            {"params": {"w": np.ones(2)}},
            ValueError,
            "all optimizer params should be with/without names. Some param names are missing",
        ),
        (
            {"params": [np.ones(2)], "foreach": True},
            ValueError,
            "foreach: expected None, as the path is the fused one, got True",
        ),
        ({"params": [readonly()]}, ValueError, "params[2]: expected a writeable array, got a read-only one"),
    ],
    MindSporeAdagrad: [
        (1, TypeError, "param_group: expected a dict, got int"),
        (
            {"params": [np.ones(2)], "accum": 0.5},
            KeyError,
            "group: expected keys among ['params', 'lr', 'weight_decay', 'grad_centralization'], got 'accum'",
        ),
        ({"params": []}, ValueError, "group: expected at least one array in `params`, got none"),
        ({"params": {"param0": np.ones(2)}}, ValueError, "params: expected unique names, got 'param0' twice"),
        (
            {"params": [np.ones(2)], "lr": -0.5},
            ValueError,
            "For 'Adagrad', the 'learning rate' must be float and must >= 0, but got '-0.5' with type 'float'.",
        ),
        (
            {"params": [readonly()]},
            ValueError,
            "params[2] ('param2'): expected a writeable array, got a read-only one",
        ),
    ],
}
BOTH = [
    ({"lr": 0.1}, KeyError, "params"),
    ({"params": None}, TypeError, "params: expected an array, a mapping, or a sequence of arrays, got NoneType"),
]
TABLE = [(rule, *row) for rule, rows in MESSAGES.items() for row in rows + BOTH]


@pytest.mark.parametrize(("rule", "group", "kind", "message"), TABLE, ids=[text for *_, text in TABLE])
def test_groups_that_are_refused(rule: Rule, group: Any, kind: type[Exception], message: str) -> None:
    optimizer = rule([{"params": [np.ones(3)]}, {"params": [np.ones(4)]}])
    before = contents(optimizer)
    with pytest.raises(kind) as caught:
        optimizer.add_param_group(group)
    assert (type(caught.value), caught.value.args) == (kind, (message,))
    assert contents(optimizer) == before
    optimizer.step([np.ones(3), np.ones(4)])


@each_rule
def test_arrays_that_are_already_there(rule: Rule) -> None:
    optimizer = rule([{"params": [np.ones(3)]}])
    mine, name = optimizer.param_groups[0]["params"][0], " ('param{})'" if rule is MindSporeAdagrad else ""
    for added, got in ((mine, "the same array as"), (mine[1:], "an overlap with")):
        before = contents(optimizer)
        with pytest.raises(ValueError, match="expected its own memory") as caught:
            optimizer.add_param_group({"params": [np.ones(2), added]})
        first, third = (f"params[{i}]" + (f" ('param{i}')" if name else "") for i in (0, 2))
        assert str(caught.value) == f"{third}: expected its own memory, got {got} {first}"
        assert contents(optimizer) == before


def test_mindspore_without_groups_gets_none() -> None:
    optimizer = MindSporeAdagrad([np.ones(3)])
    with pytest.raises(ValueError, match=r"^add_param_group: expected an optimizer that was constructed with groups$"):
        optimizer.add_param_group({"params": [np.ones(2)]})


START = "initial_accumulator_value"


@pytest.mark.parametrize("value", [0, False, np.float64(0), np.array(0.0)])
def test_the_start_in_a_group_may_be_that_of_all(value: Any) -> None:
    assert_same_bits(TorchAdagrad([{"params": [np.ones(3)], START: value}]).state[0]["sum"], np.zeros(3))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.5, ValueError, "expected the constructor's in every group, 0, got 0.5"),
        ("0", TypeError, "expected a number or a 1-element array, got str"),
    ],
)
def test_another_start_in_a_group(value: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        TorchAdagrad([{"params": [np.ones(3)], START: value}])
    assert str(caught.value) == f"{START}: {text}"


def test_order_params() -> None:
    """Gradients, state and names follow the order; each parameter keeps its group's options."""
    a, b, c = draw_all(2, 3, 4)
    start = [array.copy() for array in (c, a, b)]
    groups = [{"params": [a, b], "lr": 0.5}, {"params": [c], "weight_decay": 0.1}]
    optimizer = MindSporeAdagrad([*groups, {"order_params": [c, a, b]}])
    grads = draw_all(4, 2, 3)
    optimizer.step(grads)
    assert optimizer.names == ["param2", "param0", "param1"]
    assert [state["accum"].shape for state in optimizer.state.values()] == [(4,), (2,), (3,)]
    options = [{"lr": 0.001, "weight_decay": 0.1}, {"lr": 0.5}, {"lr": 0.5}]
    for param, before, grad, own in zip((c, a, b), start, grads, options, strict=True):
        MindSporeAdagrad([{"params": [before], **own}]).step([grad])
        assert_same_bits(param, before)
