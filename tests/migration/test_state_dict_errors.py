"""translate_state raises an error for names that clash, and for entries that are missing or of a wrong kind."""

from typing import Any

import numpy as np
import pytest
from helpers.errors import raises
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate_state

PARAMS = {"a": np.ones(3), "b": np.ones(2)}
TORCH: dict[str, Any] = TorchAdagrad(PARAMS).state_dict()
MINDSPORE: dict[str, Any] = MindSporeAdagrad(PARAMS).state_dict()
PARAMETERS = [np.ones(3), np.ones(2)]


def in_group(**changes: Any) -> dict[str, Any]:
    return {"param_groups": [{**TORCH["param_groups"][0], **changes}]}


CHECKPOINT = "names: expected names that a checkpoint does not use itself, got "
# Changes of torch's state dict, arguments, the exception, its message.
FROM_TORCH: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "a name twice": ({}, {"names": ["a", "a"]}, ValueError, "names: expected unique names, got 'a' twice"),
    "a name twice in the state dict": (
        in_group(param_names=["a", "a"]),
        {},
        ValueError,
        "params: expected unique names, got 'a' twice",
    ),
    "names in the state dict too few": (
        in_group(param_names=["a"]),
        {},
        ValueError,
        "param_groups[0]['param_names']: expected 2 names, got 1",
    ),
    "the counter's name": ({}, {"names": ["a", "global_step"]}, ValueError, f"{CHECKPOINT}'global_step'"),
    "the rate's name": ({}, {"names": ["a", "learning_rate"]}, ValueError, f"{CHECKPOINT}'learning_rate'"),
    "an accumulator's name": ({}, {"names": ["a", "accum.a"]}, ValueError, f"{CHECKPOINT}'accum.a'"),
    "names that are none": ({}, {"names": 5}, TypeError, "names: expected a sequence of names, got int"),
    "another shape": (
        {},
        {"parameters": [np.ones(3), np.ones(3)]},
        ValueError,
        "parameters[1] ('b'): expected shape (2,), got (3,)",
    ),
    "parameters that are none": (
        {},
        {"parameters": 5},
        TypeError,
        "parameters: expected a sequence of arrays, got int",
    ),
    "no sum": ({"state": {0: {"step": 1}, 1: {}}}, {}, KeyError, "state[0]: expected an entry 'sum'"),
    "a sum of text": (
        {"state": {0: {"sum": np.array(["x"] * 3), "step": 0}, 1: TORCH["state"][1]}},
        {},
        TypeError,
        "a: expected numbers, got <U1",
    ),
    "keys in a list": (
        in_group(params=[[0], 1]),
        {},
        TypeError,
        "param_groups[0]['params']: expected hashable entries, got [0]",
    ),
    "no params": ({"param_groups": [{}]}, {}, KeyError, "param_groups[0]: expected an entry 'params'"),
    "no state": ({"state": None}, {}, TypeError, "state: expected a dict, got NoneType"),
    "no state of one": ({"state": {0: None, 1: None}}, {}, TypeError, "state[0]: expected a dict, got NoneType"),
    "no groups": ({"param_groups": None}, {}, TypeError, "state_dict['param_groups']: expected a list, got NoneType"),
    "no group": ({"param_groups": [None]}, {}, TypeError, "param_groups[0]: expected a dict, got NoneType"),
    "params of None": (
        {"param_groups": [{"params": None}]},
        {},
        TypeError,
        "param_groups[0]['params']: expected a list, got NoneType",
    ),
}
RATE = "expected a number, a sequence, a 1-dimensional array or a callable, got NoneType"
# Changes of MindSpore's state dict, and the same.
FROM_MINDSPORE: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    **{
        f"no option of a group: {name}": (
            {},
            {name: None},
            TypeError,
            f"{name}: expected an option of torch's groups, which have no such entry",
        )
        for name in ("params", "state_dtype", "allocate", "sparse_weight_decay")
    },
    "names in a text": ({}, {"names": "ab"}, TypeError, "names: expected a sequence of names, got str"),
    "names that are no text": ({}, {"names": ["a", 1]}, TypeError, "names: expected names of type str, got 1"),
    "groups that are none": (
        {},
        {"groups": 5},
        TypeError,
        "groups: expected a sequence of sequences of names, got int",
    ),
    "a group that is none": ({}, {"groups": ["ab"]}, TypeError, "groups[0]: expected a sequence of names, got str"),
    "groups without a name": (
        {},
        {"groups": [["a"]]},
        ValueError,
        "groups: expected those of the accumulators, ['a', 'b'], got ['a']",
    ),
    "names beside groups": (
        {},
        {"names": ["b", "a"], "groups": [["a"], ["b"]]},
        ValueError,
        "names: expected those of groups, ['a', 'b'], or None, got ['b', 'a']",
    ),
    "no steps": (
        {"global_step": None},
        {},
        TypeError,
        "global_step: expected a number or a 1-element array, got NoneType",
    ),
    "no rate": ({"learning_rate": None}, {}, TypeError, f"learning_rate: {RATE}"),
    "masked": (
        {"accum.a": np.ma.ones(3)},
        {},
        TypeError,
        "accum.a: expected an array without a mask, got MaskedArray; fill it with .filled(0)",
    ),
}


@pytest.mark.parametrize(("changes", "arguments", "error", "message"), FROM_TORCH.values(), ids=FROM_TORCH)
def test_from_torch(changes: Any, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = {"parameters": PARAMETERS, **arguments}
    raises(error, message, lambda: translate_state("torch", "mindspore", {**TORCH, **changes}, **arguments))


@pytest.mark.parametrize(("changes", "arguments", "error", "message"), FROM_MINDSPORE.values(), ids=FROM_MINDSPORE)
def test_from_mindspore(changes: Any, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    raises(error, message, lambda: translate_state("mindspore", "torch", {**MINDSPORE, **changes}, **arguments))


@pytest.mark.parametrize("pair", [("torch", "mindspore"), ("mindspore", "torch")])
def test_no_state_dict(pair: tuple[str, str]) -> None:
    nothing: Any = None
    raises(TypeError, "state_dict: expected a dict, got NoneType", lambda: translate_state(*pair, nothing))
