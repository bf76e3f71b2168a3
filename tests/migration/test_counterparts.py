"""The `Spec` of a rule is enough to translate its arguments to every rule that has a file."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy_adagrad.migration
import pytest
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, translate
from numpy_adagrad.migration import Note, registry
from numpy_adagrad.migration.registry import RULES, rule_module
from numpy_adagrad.migration.schedules import ListedRate
from numpy_adagrad.migration.spec import Eps, Rule, Spec, WeightDecay

KERAS = Rule(
    library="Keras",
    arguments={
        "rate": "learning_rate",
        "initial": "initial_accumulator_value",
        "eps": "epsilon",
        "weight_decay": "weight_decay",
        "loss_scale": "loss_scale_factor",
    },
    number_rounding="float32",
    counter="optimizer",
    unscaling="float32 reciprocal",
)
DEFAULTS = {
    "learning_rate": 0.001,
    "initial_accumulator_value": 0.1,
    "epsilon": 1e-7,
    "weight_decay": None,
    "clipnorm": None,
    "loss_scale_factor": None,
}


def describe(arguments: Mapping[str, Any]) -> Spec:
    """The arguments of keras.optimizers.Adagrad: eps under the root, and a decoupled weight decay."""
    options = {**DEFAULTS, **arguments}
    return Spec(
        rule=KERAS,
        options=options,
        given=frozenset(arguments),
        rate=options["learning_rate"],
        initial=options["initial_accumulator_value"],
        eps=Eps(options["epsilon"], "under the root"),
        weight_decay=WeightDecay(options["weight_decay"] or 0.0, kind="decoupled"),
        loss_scale=options["loss_scale_factor"] or 1.0,
        notes=[Note("no counterpart", "clipnorm", "Clip the gradients yourself.")],
    )


@pytest.fixture(autouse=True)
def _keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `translate` find Keras as if it had a file."""
    monkeypatch.setattr(registry, "RULES", (*RULES, "keras"))
    module = SimpleNamespace(RULE=KERAS, describe=describe)
    monkeypatch.setitem(sys.modules, "numpy_adagrad.migration.keras", module)


EPS_TO_TORCH = Note(
    "approximated",
    "epsilon",
    "Keras adds 1e-07 under the root, torch adds eps to the root: eps=1.58e-07 gives the same divisor, to three "
    "digits, where accumulators start. Where accumulators start at 0.1, updates of torch differ from those of Keras by "
    "at most 1.25e-07 times their size. For accumulators of at least 16, neither eps changes a float32 result.",
)
EPS_TO_MINDSPORE = Note(
    "approximated",
    "epsilon",
    "Keras adds 1e-07 under the root, MindSpore always adds 1e-08 under the root. Where accumulators start at 0.1, "
    "updates of MindSpore differ from those of Keras by at most 4.5e-07 times their size. For accumulators of at least "
    "2, neither eps changes a float32 result.",
)


def test_defaults_to_torch() -> None:
    arguments, notes = translate("keras", "torch")
    assert arguments == {"lr": 0.001, "initial_accumulator_value": 0.1, "eps": 1.58e-7}
    text = "The default of Keras is {}, that of torch {}: {}={}."
    assert notes == [
        Note("defaults differ", "learning_rate", text.format(0.001, 0.01, "lr", 0.001)),
        Note("defaults differ", "initial_accumulator_value", text.format(0.1, 0, "initial_accumulator_value", 0.1)),
        EPS_TO_TORCH,
    ]


def test_defaults_to_mindspore() -> None:
    assert translate("keras", "mindspore") == ({}, [EPS_TO_MINDSPORE])


def test_decoupled_weight_decay() -> None:
    """It is not written, as the target would add it to the gradient."""
    for target, library in (("torch", "torch"), ("mindspore", "MindSpore")):
        arguments, notes = translate("keras", target, weight_decay=0.01)
        assert arguments["weight_decay"] == 0
        assert notes[-1] == Note(
            "no counterpart",
            "weight_decay",
            "Keras subtracts rate * weight_decay * parameter from the parameter itself, "
            f"{library} adds weight_decay * parameter to the gradient. "
            "Leave weight_decay at 0 and decay the parameters yourself before each step.",
        )


def test_other_arguments() -> None:
    arguments, notes = translate("keras", "mindspore", loss_scale_factor=8.0, learning_rate=0.5, clipnorm=1.0)
    assert arguments == {"learning_rate": 0.5, "loss_scale": 8.0}
    assert notes == [
        Note("exact", "learning_rate", "It becomes learning_rate; its value stays the same."),
        EPS_TO_MINDSPORE,
        Note("no counterpart", "clipnorm", "Clip the gradients yourself."),
        Note("exact", "loss_scale_factor", "It becomes loss_scale."),
    ]
    arguments, notes = translate("keras", "torch", loss_scale_factor=8.0, learning_rate=0.5)
    assert arguments["lr"] == 0.5
    assert {note.argument: note.kind for note in notes} == {
        "learning_rate": "exact",
        "initial_accumulator_value": "defaults differ",
        "epsilon": "approximated",
        "loss_scale_factor": "no counterpart",
    }


def test_a_value_that_the_target_does_not_take() -> None:
    for target in RULES:
        with pytest.raises(ValueError, match="-1"):
            translate("keras", target, learning_rate=-1.0)


def test_translated_keras_runs_like_keras() -> None:
    """Without weight decay: float64 runs of both targets beside Keras's formula, at the accuracy of the notes."""
    rng = np.random.default_rng(1)
    grads = rng.standard_normal((20, 50))
    expected, accumulator = np.ones(50), np.full(50, 0.1)
    for grad in grads:
        accumulator += grad**2
        expected -= 0.5 * grad / np.sqrt(accumulator + 1e-7)
    for target, optimizer in (("torch", TorchAdagrad), ("mindspore", MindSporeAdagrad)):
        w = np.ones(50)
        ours = optimizer([w], **translate("keras", target, learning_rate=0.5).arguments)
        for grad in grads:
            ours.step([grad])
        assert np.abs(w - expected).max() <= 20 * 0.5 * 4.5e-7


def spec_of(library: str, arguments: Mapping[str, str] | None = None, traits: Any = None, **fields: Any) -> Spec:
    """A spec of a library whose arguments are all given, and whose eps is torch's unless stated."""
    names = arguments or {}
    rule = Rule(
        library=library,
        arguments=names,
        **{"number_rounding": "the dtype of the parameter", "counter": "parameter", **(traits or {})},
    )
    common = {"rate": 0.01, "eps": Eps(1e-10, "to the root"), "weight_decay": WeightDecay(0.0)}
    options = dict.fromkeys(names.values())
    return Spec(rule=rule, options=options, given=frozenset(options), **{**common, **fields})


# The rules of other libraries on a CPU.
OTHER_LIBRARIES: dict[str, tuple[Spec, dict[str, set[tuple[str, str]]]]] = {
    "FBGEMM, an accumulator for each row": (
        spec_of("FBGEMM", traits={"accumulator_of": "row"}),
        {target: {("no counterpart", "accumulator")} for target in RULES},
    ),
    "GloVe, which divides before it accumulates": (
        spec_of("GloVe", traits={"accumulates": "after"}, eps=Eps(0.0, "to the root"), initial=1.0),
        {target: {("no counterpart", "accumulator")} for target in RULES},
    ),
    "TensorFlow 1, without eps": (
        spec_of("TensorFlow", eps=Eps(0.0, "to the root"), initial=0.1),
        {"torch": {("exact", "eps")}, "mindspore": {("approximated", "eps")}},
    ),
    "maximize and a decay of the rate": (
        spec_of(
            "another", {"rate": "lr", "rate_decay": "decay", "maximize": "maximize"}, rate_decay=0.5, maximize=True
        ),
        {
            "torch": {("exact", "lr"), ("exact", "decay"), ("exact", "maximize")},
            "mindspore": {("exact", "lr"), ("no counterpart", "decay"), ("no counterpart", "maximize")},
        },
    ),
    "Paddle, L1 decay": (
        spec_of("Paddle", {"weight_decay": "weight_decay"}, weight_decay=WeightDecay(0.1, kind="L1")),
        {target: {("no counterpart", "weight_decay")} for target in RULES},
    ),
    "DeepSpeed, L2 decay by fma": (
        spec_of("DeepSpeed", {"weight_decay": "weight_decay"}, weight_decay=WeightDecay(0.1, rounds_product=False)),
        {"torch": {("exact", "weight_decay")}, "mindspore": {("approximated", "weight_decay")}},
    ),
    "a list of rates": (
        spec_of("TensorFlow", {"rate": "rates"}, rate=ListedRate(np.array([0.5, 0.25], np.float32))),
        {"torch": {("no counterpart", "rates")}, "mindspore": {("exact", "rates")}},
    ),
}


@pytest.mark.parametrize("target", RULES)
@pytest.mark.parametrize("case", OTHER_LIBRARIES)
def test_other_libraries(case: str, target: str) -> None:
    spec, expected = OTHER_LIBRARIES[case]
    arguments, notes = rule_module(target, "target").arguments_for(spec)
    rule_module(target, "target").describe(arguments)
    assert expected[target] <= {(note.kind, note.argument) for note in notes}
    named = {note.argument for note in notes}
    assert named >= set(spec.rule.arguments.values())


def test_an_accumulator_that_grows_otherwise() -> None:
    spec = spec_of("FBGEMM", traits={"accumulator_of": "row", "accumulates": "after"})
    notes = rule_module("torch", "target").arguments_for(spec)[1]
    assert [note.text for note in notes if note.argument == "accumulator"] == [
        "FBGEMM adds the mean square of each row to the accumulator after it divides by the root; torch adds the "
        "square of each element of the gradient to the accumulator before it divides by the root."
    ]


def test_a_rule_that_skips_zero_accumulators_has_no_nan() -> None:
    for skips in (False, True):
        spec = spec_of("optax", traits={"skips_zero_accumulators": skips}, eps=Eps(0.0, "under the root"))
        notes = rule_module("mindspore", "target").arguments_for(spec)[1]
        (text,) = (note.text for note in notes if note.argument == "eps")
        assert ("gives NaN in optax, and no update in MindSpore" in text) != skips


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_reads_its_own_description(rule: str) -> None:
    """The same arguments come back, all of them exact."""
    module = rule_module(rule, "rule")
    given: dict[str, Any] = {
        "torch": {"lr": 0.5, "lr_decay": 0.1, "weight_decay": 0.2, "initial_accumulator_value": 0.3, "eps": 0.4}
        | {"maximize": True, "state_dtype": "float32"},
        "mindspore": {"accum": 0.5, "learning_rate": 0.25, "update_slots": False, "loss_scale": 8.0}
        | {"weight_decay": 0.1, "state_dtype": "float32"},
    }[rule]
    arguments, notes = module.arguments_for(module.describe(given))
    assert arguments == given
    assert {note.kind for note in notes} == {"exact"}


def test_a_file_of_one_rule_names_no_other() -> None:
    """Texts on the other side come from its `Spec`."""
    folder = Path(numpy_adagrad.migration.__file__).parent
    neutral = ["spec", "notes", "counterparts", "error_bounds", "registry", "saved_state", "schedules"]
    for name in (*RULES, *neutral):
        text = (folder / f"{name}.py").read_text().lower()
        assert [other for other in RULES if other != name and other in text] == [], name
