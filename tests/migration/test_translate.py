"""The argument table of the two frameworks: every argument, every kind of note, every refusal, every figure."""

import inspect
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from helpers import mindspore_arrays
from helpers.bits import assert_same_bits
from helpers.errors import refuses, zeros
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate
from numpy_adagrad.migration import Note
from numpy_adagrad.migration.error_bounds import (
    NEAR,
    difference,
    equal_from,
    matching_eps,
    move_ratio,
    near_from,
    unseen_from,
)
from numpy_adagrad.migration.schedules import DecayedRate, ListedRate

OTHER = {"torch": "mindspore", "mindspore": "torch"}
OURS = {"torch": TorchAdagrad, "mindspore": MindSporeAdagrad}
THEIRS = {"torch": torch.optim.Adagrad, "mindspore": nn.Adagrad}
DIRECTIONS = pytest.mark.parametrize("source", OTHER)


def defaults(optimizer: Any) -> dict[str, Any]:
    """The arguments of the constructor but for the parameters. MindSpore's is wrapped in one that says nothing."""
    constructor = inspect.getclosurevars(optimizer.__init__).nonlocals.get("fn", optimizer.__init__)
    parameters = inspect.signature(constructor).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def rate(step: int) -> float:
    return 0.5 / (step + 1)


def allocate(param: Any, dtype: Any, value: Any) -> Any:
    raise AssertionError("a translation allocates nothing")


@DIRECTIONS
def test_every_argument_is_known(source: str) -> None:
    """Those of the framework are ours too, and each of ours, given its default, is noted once, in this order."""
    theirs, ours = defaults(THEIRS[source]), defaults(OURS[source])
    assert len(theirs) == {"torch": 9, "mindspore": 5}[source]
    assert theirs.items() <= ours.items()
    notes = translate(source, OTHER[source], **ours).notes
    hidden = [] if source == "torch" else ["eps"]
    assert [note.argument for note in notes] == [*ours, *hidden]
    for name, value in ours.items():
        assert name in [note.argument for note in translate(source, OTHER[source], **{name: value}).notes]


@DIRECTIONS
def test_defaults_that_differ_are_written_out(source: str) -> None:
    arguments, notes = translate(source, OTHER[source])
    target = defaults(THEIRS[OTHER[source]])
    assert all(value != target[name] for name, value in arguments.items())
    assert [note.kind for note in notes] == ["defaults differ", "defaults differ", "approximated"]
    explicit = translate(source, OTHER[source], **defaults(THEIRS[source]))
    assert {name: explicit.arguments[name] for name in arguments} == arguments
    assert all(explicit.arguments[name] == target[name] for name in explicit.arguments.keys() - arguments)


def test_texts_of_defaults() -> None:
    assert translate("torch", "mindspore").notes[:2] == [
        Note("defaults differ", "lr", "torch takes 0.01 by default, MindSpore 0.001: learning_rate=0.01."),
        Note(
            "defaults differ",
            "initial_accumulator_value",
            "torch takes 0 by default, MindSpore 0.1: accum=0.0.",
        ),
    ]


# Source, argument, value, kind of the note, what its text names, arguments of the target.
CASES: list[tuple[str, str, Any, str, str, dict[str, Any]]] = [
    ("torch", "lr", 0.05, "exact", "float32", {"learning_rate": 0.05}),
    ("torch", "lr", np.float32(0.5), "exact", "as the value is now", {"learning_rate": 0.5}),
    ("torch", "lr", np.array([[0.5]]), "exact", "as the value is now", {"learning_rate": 0.5}),
    ("torch", "lr", torch.tensor(0.5), "exact", "as the value is now", {"learning_rate": 0.5}),
    ("torch", "lr", rate, "exact", "[lr(step) for step in range(steps)]", {"learning_rate": rate}),
    ("torch", "lr_decay", 0, "exact", "no decay", {}),
    ("torch", "lr_decay", 0.1, "no counterpart", "learning_rate.first(", {"learning_rate": DecayedRate(0.01, 0.1)}),
    ("torch", "weight_decay", 0, "exact", "", {"weight_decay": 0.0}),
    ("torch", "weight_decay", 0.1, "approximated", "`beta` or `gamma`", {"weight_decay": 0.1}),
    ("torch", "initial_accumulator_value", 1, "exact", "accum", {"accum": 1.0}),
    ("torch", "eps", 1e-8, "approximated", "1e-8 under it", {}),
    ("torch", "eps", 0, "approximated", "NaN", {}),
    ("torch", "foreach", True, "exact", "nothing to write", {}),
    ("torch", "fused", True, "exact", "nothing to write", {}),
    ("torch", "maximize", True, "no counterpart", "negated gradients", {}),
    ("torch", "maximize", False, "exact", "nothing to write", {}),
    ("torch", "differentiable", True, "no counterpart", "derivative", {}),
    ("torch", "differentiable", False, "exact", "nothing to write", {}),
    ("torch", "sparse_weight_decay", None, "no counterpart", "decays the rows", {}),
    ("torch", "sparse_weight_decay", "touched", "exact", "nothing to write", {}),
    ("torch", "state_dtype", "float32", "exact", "this package", {"state_dtype": "float32"}),
    ("torch", "state_dtype", None, "exact", "this package", {}),
    ("torch", "allocate", allocate, "exact", "this package", {"allocate": allocate}),
    ("mindspore", "accum", 1.0, "exact", "initial_accumulator_value", {"initial_accumulator_value": 1.0}),
    ("mindspore", "learning_rate", 0.05, "exact", "float32", {"lr": 0.05}),
    ("mindspore", "learning_rate", 1, "exact", "float32", {"lr": 1.0}),
    ("mindspore", "learning_rate", rate, "no counterpart", "group['lr'] = lr(step)", {"lr": rate}),
    ("mindspore", "update_slots", True, "exact", "nothing to write", {}),
    ("mindspore", "update_slots", False, "no counterpart", "always move", {}),
    ("mindspore", "loss_scale", 1, "exact", "nothing to write", {}),
    ("mindspore", "loss_scale", 1000.0, "no counterpart", "grad_scale=1000.0", {}),
    ("mindspore", "weight_decay", 0, "exact", "", {"weight_decay": 0.0}),
    ("mindspore", "weight_decay", 0.1, "approximated", "`beta` or `gamma`", {"weight_decay": 0.1}),
    ("mindspore", "weight_decay", rate, "no counterpart", "= weight_decay(step)", {"weight_decay": 0.5}),
    ("mindspore", "state_dtype", np.float32, "exact", "this package", {"state_dtype": np.float32}),
    ("mindspore", "allocate", allocate, "exact", "this package", {"allocate": allocate}),
]


@pytest.mark.parametrize(("source", "name", "value", "kind", "named", "expected"), CASES)
def test_argument(source: str, name: str, value: Any, kind: str, named: str, expected: dict[str, Any]) -> None:
    arguments, notes = translate(source, OTHER[source], **{name: value})
    (note,) = (note for note in notes if note.argument == name)
    assert note.kind == kind
    assert named in note.text
    others = translate(source, OTHER[source]).arguments
    if name == "accum":
        others["eps"] = matching_eps(value)
    assert arguments == {**others, **expected}
    assert all(type(arguments[key]) is type(expected[key]) for key in expected)
    order = list(defaults(OURS[OTHER[source]]))
    assert sorted(arguments, key=order.index) == list(arguments)


def test_every_argument_has_a_case() -> None:
    for source in OTHER:
        assert {name for case, name, *_ in CASES if case == source} == {*defaults(OURS[source])}


@pytest.mark.parametrize("rates", [[0.3, 0.1], (0.3, 0.1), np.array([0.3, 0.1])], ids=["list", "tuple", "array"])
def test_list_of_rates(rates: Any) -> None:
    arguments, notes = translate("mindspore", "torch", learning_rate=rates)
    lr = arguments["lr"]
    assert type(lr) is ListedRate
    assert repr(lr) == "ListedRate(rates=array([0.3, 0.1], dtype=float32))"
    assert [lr(0), lr(1)] == np.array([0.3, 0.1], np.float32).tolist()
    refuses(RuntimeError, "learning_rate: expected a rate for global_step 2, got a sequence of 2", lambda: lr(2))
    assert [note.kind for note in notes if note.argument == "learning_rate"] == ["no counterpart"]


def test_decayed_rate() -> None:
    """torch's own default path computes the same float64 numbers."""
    lr = translate("torch", "mindspore", lr=0.05, lr_decay=1e-3).arguments["learning_rate"]
    assert repr(lr) == "DecayedRate(lr=0.05, lr_decay=0.001)"
    assert lr.first(4) == [0.05 / (1 + step * 1e-3) for step in range(4)] == [lr(step) for step in range(4)]
    assert pickle.loads(pickle.dumps(lr)) == lr
    scheduled = translate("torch", "mindspore", lr=rate, lr_decay=1).arguments["learning_rate"]
    assert scheduled.first(3) == [0.5, 0.125, 0.5 / 9]


@DIRECTIONS
def test_ours_take_the_result(source: str) -> None:
    for name, value in [(case[1], case[2]) for case in CASES if case[0] == source and case[1] != "allocate"]:
        ours = OURS[OTHER[source]]([zeros()], **translate(source, OTHER[source], **{name: value}).arguments)
        ours.step([np.ones(3, np.float32)])


@DIRECTIONS
def test_theirs_take_the_result(source: str) -> None:
    """But for rates that change, which the notes turn into lists and numbers, and options of this package."""
    for name, value in [
        (case[1], case[2]) for case in CASES if case[0] == source and case[1] in defaults(THEIRS[source])
    ]:
        arguments = translate(source, OTHER[source], **{name: value}).arguments
        if source == "torch":
            learning_rate = arguments["learning_rate"]
            arguments["learning_rate"] = [learning_rate(0)] if callable(learning_rate) else learning_rate
            mindspore_arrays.mindspore_adagrad([zeros()], **arguments)
        else:
            arguments["lr"] = arguments["lr"](0) if callable(arguments["lr"]) else arguments["lr"]
            torch.optim.Adagrad([torch.zeros(3)], **arguments)


TORCH_NAMES = ", ".join(defaults(TorchAdagrad))
MINDSPORE_NAMES = ", ".join(defaults(MindSporeAdagrad))
LEGAL = "For 'Adagrad', the '{}' must be a legal value, but got '{}'."
REFUSED: list[tuple[str, str, dict[str, Any], type[Exception], str]] = [
    ("torch", "torch", {}, ValueError, "target: expected the other framework than the source, got 'torch' twice"),
    ("jax", "torch", {}, ValueError, "source: expected 'torch' or 'mindspore', got 'jax'"),
    ("torch", "Torch", {}, ValueError, "target: expected 'torch' or 'mindspore', got 'Torch'"),
    (
        "torch",
        "mindspore",
        {"accum": 0.1},
        TypeError,
        f"arguments: expected those of torch ({TORCH_NAMES}), got 'accum'",
    ),
    (
        "torch",
        "mindspore",
        {"params": []},
        TypeError,
        f"arguments: expected those of torch ({TORCH_NAMES}), got 'params'",
    ),
    (
        "mindspore",
        "torch",
        {"eps": 0},
        TypeError,
        f"arguments: expected those of MindSpore ({MINDSPORE_NAMES}), got 'eps'",
    ),
    ("torch", "mindspore", {"lr": -1}, ValueError, "Invalid learning rate: -1"),
    ("torch", "mindspore", {"lr": "1"}, TypeError, "lr: expected a number or a 1-element array, got str"),
    ("torch", "mindspore", {"lr_decay": -1}, ValueError, "Invalid lr_decay value: -1"),
    ("torch", "mindspore", {"weight_decay": math.nan}, ValueError, "Invalid weight_decay value: nan"),
    ("torch", "mindspore", {"eps": -1e-8}, ValueError, "Invalid epsilon value: -1e-08"),
    (
        "torch",
        "mindspore",
        {"fused": True, "foreach": True},
        RuntimeError,
        "`fused` and `foreach` cannot be `True` together.",
    ),
    (
        "torch",
        "mindspore",
        {"fused": True, "differentiable": True},
        RuntimeError,
        "`fused` does not support `differentiable`",
    ),
    (
        "torch",
        "mindspore",
        {"sparse_weight_decay": True},
        ValueError,
        "sparse_weight_decay: expected None or 'touched', got True",
    ),
    ("torch", "mindspore", {"lr": math.inf}, ValueError, LEGAL.format("learning rate", "inf")),
    ("torch", "mindspore", {"initial_accumulator_value": math.inf}, ValueError, LEGAL.format("accum", "inf")),
    ("torch", "mindspore", {"weight_decay": math.inf}, ValueError, LEGAL.format("weight_decay", "inf")),
    ("mindspore", "torch", {"learning_rate": math.nan}, ValueError, LEGAL.format("learning rate", "nan")),
    (
        "mindspore",
        "torch",
        {"accum": 1},
        TypeError,
        "For 'Adagrad', the type of 'accum' should be 'float', but got type 'int'.",
    ),
    (
        "mindspore",
        "torch",
        {"update_slots": 1},
        TypeError,
        "For 'Adagrad', the type of 'update_slots' should be 'bool', but got type 'int'.",
    ),
    (
        "mindspore",
        "torch",
        {"loss_scale": 0},
        ValueError,
        "For 'Adagrad', the 'loss_scale' must be float and must > 0, but got '0' with type 'int'.",
    ),
    ("mindspore", "torch", {"weight_decay": lambda step: -1.0}, ValueError, "Invalid weight_decay value: -1.0"),
]


@pytest.mark.parametrize(("source", "target", "arguments", "error", "message"), REFUSED)
def test_refusals(source: str, target: str, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    refuses(error, message, lambda: translate(source, target, **arguments))


EPS = [0, 1e-30, 1e-10, 1e-8, 3e-8, 1e-6, 1e-4, 2.0**-10, 1e-3, 0.3, 7.0]


@pytest.mark.parametrize("eps", EPS)
def test_an_unseen_eps_changes_no_float32(eps: float) -> None:
    """All numbers of two binades from the figure on stay; just below it the least change is seen."""
    least, single = np.float32(unseen_from(eps)), np.float32(eps)
    significands = np.arange(1 << 23, 1 << 25, 7).astype(np.float32) / np.float32(1 << 23)
    assert_same_bits(least * significands + single, least * significands)
    if eps > 1e-25:
        below = np.nextafter(least, np.float32(0))
        assert below + single != below


@pytest.mark.parametrize("eps", EPS)
def test_equal_roots_in_float32(eps: float) -> None:
    accumulators = (np.float32(equal_from(eps)) * np.geomspace(1, 1e6, 10_001)).astype(np.float32)
    roots = np.sqrt(accumulators)
    assert_same_bits(roots + np.float32(eps), roots)
    assert_same_bits(np.sqrt(accumulators + np.float32(1e-8)), roots)


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("accumulator", [0.0, 1e-12, 1e-6, 0.1, 100.0])
def test_move_ratio(eps: float, accumulator: float) -> None:
    """The range holds on a fine grid, and both of its ends are reached there but for 1, which is far away."""
    squares = np.concatenate([[0.0], np.geomspace(1e-30, 1e30, 20_001)])
    ratios = (np.sqrt(accumulator + squares) + eps) / np.sqrt(accumulator + squares + 1e-8)
    least, most = move_ratio(eps, accumulator)
    assert least * (1 - 1e-15) <= ratios.min() <= least * (1 + 1e-5)
    assert most * (1 - 1e-5) <= ratios.max() <= most * (1 + 1e-15)
    assert difference(eps, accumulator) == max(1 - least, most - 1)


@pytest.mark.parametrize("eps", EPS)
def test_near_from(eps: float) -> None:
    assert difference(eps, near_from(eps)) <= NEAR < difference(eps, near_from(eps) / 10)


def test_figures_without_bound() -> None:
    assert near_from(math.inf) == equal_from(math.inf) == unseen_from(1e300) == math.inf
    assert near_from(1e300) == math.inf
    assert move_ratio(1e300, 0.0)[1] > 1e303
    (text,) = (note.text for note in translate("torch", "mindspore", eps=math.inf).notes if note.argument == "eps")
    assert text.endswith("MindSpore's moves are 1 to inf times torch's.")


@pytest.mark.parametrize("accum", [0.0, 1e-12, 1e-8, 1e-3, 0.1, 1.0, 1e6])
def test_matching_eps(accum: float) -> None:
    eps = translate("mindspore", "torch", accum=accum).arguments["eps"]
    assert eps == matching_eps(accum)
    assert abs(math.sqrt(accum) + eps - math.sqrt(accum + 1e-8)) <= 0.005 * eps + 2**-53 * math.sqrt(accum)


def test_text_of_eps() -> None:
    notes = translate("torch", "mindspore", initial_accumulator_value=0.1, eps=1e-3).notes
    assert notes[-1] == Note(
        "approximated",
        "eps",
        "torch adds 0.001 to the root, MindSpore 1e-8 under it, which no argument changes. Where accumulators start "
        "from 0.1, MindSpore's moves differ by at most 0.00317 of torch's; in float32 neither epsilon is seen from "
        "1.08e+09 on.",
    )
