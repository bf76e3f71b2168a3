"""The argument table of the two frameworks: every argument, every kind of note."""

import inspect
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from helpers import mindspore_arrays
from helpers.errors import raises
from helpers.values import zeros
from mindspore import nn
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate
from numpy_adagrad.migration import Note
from numpy_adagrad.migration.divergence import settings
from numpy_adagrad.migration.error_bounds import matching_eps
from numpy_adagrad.migration.mindspore import EPS
from numpy_adagrad.migration.schedules import DecayedRate, ListedRate

OTHER = {"torch": "mindspore", "mindspore": "torch"}
OURS = {"torch": TorchAdagrad, "mindspore": MindSporeAdagrad}
THEIRS = {"torch": torch.optim.Adagrad, "mindspore": nn.Adagrad}
DIRECTIONS = pytest.mark.parametrize("source", OTHER)


def defaults(optimizer: Any) -> dict[str, Any]:
    """The arguments of the constructor except for the parameters. MindSpore's is wrapped in one that hides them."""
    constructor = inspect.getclosurevars(optimizer.__init__).nonlocals.get("fn", optimizer.__init__)
    parameters = inspect.signature(constructor).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def rate(step: int) -> float:
    return 0.5 / (step + 1)


def allocate(param: Any, dtype: Any, value: Any) -> Any:
    raise AssertionError("a translation allocates nothing")


@DIRECTIONS
def test_every_argument_is_known(source: str) -> None:
    """Ours include those of the framework. Each of ours has one note, in this order, if its default is given."""
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
        Note("defaults differ", "lr", "The default of torch is 0.01, that of MindSpore 0.001: learning_rate=0.01."),
        Note(
            "defaults differ",
            "initial_accumulator_value",
            "The default of torch is 0, that of MindSpore 0.1: accum=0.0.",
        ),
    ]


# Source, argument, value, kind of the note, words of its text, arguments of the target.
CASES: list[tuple[str, str, Any, str, str, dict[str, Any]]] = [
    ("torch", "lr", 0.05, "exact", "float32", {"learning_rate": 0.05}),
    ("torch", "lr", np.float32(0.5), "exact", "its value stays the same", {"learning_rate": 0.5}),
    ("torch", "lr", np.array([[0.5]]), "exact", "its value stays the same", {"learning_rate": 0.5}),
    ("torch", "lr", torch.tensor(0.5), "exact", "its value stays the same", {"learning_rate": 0.5}),
    ("torch", "lr", rate, "exact", "[lr(step) for step in range(steps)]", {"learning_rate": rate}),
    ("torch", "lr_decay", 0, "exact", "no decay", {}),
    ("torch", "lr_decay", 0.1, "no counterpart", "learning_rate.first(", {"learning_rate": DecayedRate(0.01, 0.1)}),
    ("torch", "weight_decay", 0, "exact", "", {"weight_decay": 0.0}),
    ("torch", "weight_decay", 0.1, "approximated", "`beta` or `gamma`", {"weight_decay": 0.1}),
    ("torch", "initial_accumulator_value", 1, "exact", "accum", {"accum": 1.0}),
    ("torch", "eps", 1e-8, "approximated", "1e-08 under the root", {}),
    ("torch", "eps", 0, "approximated", "NaN", {}),
    ("torch", "foreach", True, "exact", "which differ in rounding: no argument is needed", {}),
    ("torch", "fused", True, "exact", "no argument is needed", {}),
    ("torch", "maximize", True, "no counterpart", "negated gradients", {}),
    ("torch", "maximize", False, "exact", "no argument is needed", {}),
    ("torch", "differentiable", True, "no counterpart", "derivative", {}),
    ("torch", "differentiable", False, "exact", "no argument is needed", {}),
    ("torch", "sparse_weight_decay", None, "no counterpart", "decays touched rows", {}),
    ("torch", "sparse_weight_decay", "touched", "exact", "nn.Adagrad raises an error for sparse gradients", {}),
    ("torch", "state_dtype", "float32", "exact", "this package", {"state_dtype": "float32"}),
    ("torch", "state_dtype", None, "exact", "this package", {}),
    ("torch", "allocate", allocate, "exact", "this package", {"allocate": allocate}),
    ("mindspore", "accum", 1.0, "exact", "initial_accumulator_value", {"initial_accumulator_value": 1.0}),
    ("mindspore", "learning_rate", 0.05, "exact", "float32", {"lr": 0.05}),
    ("mindspore", "learning_rate", 1, "exact", "float32", {"lr": 1.0}),
    ("mindspore", "learning_rate", rate, "no counterpart", "group['lr'] = lr(step)", {"lr": rate}),
    ("mindspore", "update_slots", True, "exact", "no argument is needed", {}),
    ("mindspore", "update_slots", False, "no counterpart", "always updates", {}),
    ("mindspore", "loss_scale", 1, "exact", "no argument is needed", {}),
    ("mindspore", "loss_scale", 1000.0, "no counterpart", "grad_scale=1000.0", {}),
    ("mindspore", "loss_scale", 1e-50, "no counterpart", "1e-50 lies outside float32", {}),
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
        others["eps"] = matching_eps(EPS, "to the root", value)
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
    raises(RuntimeError, "rates: expected a rate for step 2, got a list of 2", lambda: lr(2))
    assert [note.kind for note in notes if note.argument == "learning_rate"] == ["no counterpart"]


def test_schedules_of_mindspore() -> None:
    schedule = nn.CosineDecayLR(0.1, 0.5, 10)
    arguments = translate("mindspore", "torch", learning_rate=schedule).arguments
    optimizer = MindSporeAdagrad([np.ones(2)], learning_rate=schedule)
    for step in range(3):
        optimizer.step([np.ones(2)])
        assert arguments["lr"](step) == optimizer.last_lr[0]


def test_decayed_rate() -> None:
    """torch's own default path computes the same float64 numbers."""
    lr = translate("torch", "mindspore", lr=0.05, lr_decay=1e-3).arguments["learning_rate"]
    assert repr(lr) == "DecayedRate(lr=0.05, lr_decay=0.001)"
    assert lr.first(4) == [0.05 / (1 + step * 1e-3) for step in range(4)] == [lr(step) for step in range(4)]
    assert pickle.loads(pickle.dumps(lr)) == lr
    scheduled = translate("torch", "mindspore", lr=rate, lr_decay=1).arguments["learning_rate"]
    assert scheduled.first(3) == [0.5, 0.125, 0.5 / 9]


@pytest.mark.parametrize("make", [iter, lambda rates: map(float, rates), lambda rates: (rate for rate in rates)])
def test_an_iterator_of_rates_is_read_once(make: Any) -> None:
    for lr in (
        translate("mindspore", "torch", learning_rate=make([0.5, 0.25])).arguments["lr"],
        settings(("mindspore", "torch"), "mindspore", {"learning_rate": make([0.5, 0.25])}).second.arguments["lr"],
    ):
        assert lr.rates.tolist() == [0.5, 0.25]


@DIRECTIONS
def test_our_optimizers_accept_the_result(source: str) -> None:
    for name, value in [(case[1], case[2]) for case in CASES if case[0] == source and case[1] != "allocate"]:
        ours = OURS[OTHER[source]]([zeros()], **translate(source, OTHER[source], **{name: value}).arguments)
        ours.step([np.ones(3, np.float32)])


@DIRECTIONS
def test_the_frameworks_accept_the_result(source: str) -> None:
    """Except for rates that change, which the notes turn into lists and numbers, and options of this package."""
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


@pytest.mark.parametrize("accum", [0.0, 1e-12, 1e-8, 1e-3, 0.1, 1.0, 1e6])
def test_eps_for_torch_gives_the_same_divisor(accum: float) -> None:
    eps = translate("mindspore", "torch", accum=accum).arguments["eps"]
    assert eps == matching_eps(EPS, "to the root", accum)
    assert abs(math.sqrt(accum) + eps - math.sqrt(accum + 1e-8)) <= 0.005 * eps + 2**-53 * math.sqrt(accum)


def eps_note(source: str, **arguments: Any) -> Note:
    (note,) = (note for note in translate(source, OTHER[source], **arguments).notes if note.argument == "eps")
    return note


def test_texts_of_eps() -> None:
    assert eps_note("torch", initial_accumulator_value=0.1, eps=1e-3) == Note(
        "approximated",
        "eps",
        "torch adds 0.001 to the root, MindSpore always adds 1e-08 under the root. Where accumulators start at 0.1, "
        "updates of MindSpore differ from those of torch by at most 0.00317 times their size. For accumulators of at "
        "least 1.08e+09, neither eps changes a float32 result.",
    )
    assert eps_note("torch", eps=0.0) == Note(
        "approximated",
        "eps",
        "torch adds 0 to the root, MindSpore always adds 1e-08 under the root. Where accumulators start at 0, updates "
        "of MindSpore are 0 to 1 times those of torch, and differ by at most 1% for accumulators of at least 1e-06. "
        "For accumulators of at least 0.25, neither eps changes a float32 result. A zero gradient on a zero "
        "accumulator gives NaN in torch, and no update in MindSpore.",
    )
    assert eps_note("mindspore") == Note(
        "approximated",
        "eps",
        "MindSpore adds 1e-08 under the root, torch adds eps to the root: eps=1.58e-08 gives the same divisor, to "
        "three digits, where accumulators start. Where accumulators start at 0.1, updates of torch differ from those "
        "of MindSpore by at most 1.25e-08 times their size. For accumulators of at least 0.25, neither eps changes a "
        "float32 result.",
    )
    assert eps_note("torch", eps=math.inf).text.endswith("updates of MindSpore are 1 to inf times those of torch.")


def test_texts_of_weight_decay() -> None:
    rounding = "in float32 they differ by at most 6e-08 * |w * weight_decay| + 1.2e-07 * |g|, where g is the result."
    order = (
        "MindSpore adds the decay, times the loss scale, before it unscales the gradient; torch adds it afterwards: "
        "the same but for rounding."
    )
    names = "Without groups MindSpore does not decay parameters with `beta` or `gamma` in their name."
    once, twice = "torch computes T(w * weight_decay + g)", "MindSpore computes T(T(w * weight_decay) + g)"
    (note,) = (one for one in translate("torch", "mindspore", weight_decay=0.1).notes if one.argument == "weight_decay")
    assert note.text == (
        f"With T for one rounding to the dtype, {once}, {twice}: {rounding} {order} torch decays all parameters. "
        f"{names} Give [{{'params': params}}], one group, to decay all parameters."
    )


def test_a_default_without_counterpart_is_noted() -> None:
    """Where it matters: with weight decay, torch raises an error for a sparse gradient."""
    notes = {note.argument: note for note in translate("torch", "mindspore", weight_decay=0.1).notes}
    assert notes["sparse_weight_decay"].kind == "no counterpart"
    assert "sparse_weight_decay" not in {note.argument for note in translate("torch", "mindspore").notes}
