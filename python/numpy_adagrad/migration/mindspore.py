"""MindSpore's Adagrad: describe its arguments, and write those of any description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..inputs.validation import number
from ..optimizers._mindspore_arguments import given_decay, given_rate
from ..optimizers.mindspore import MindSporeAdagrad
from .counterparts import Counterpart, collect, eps_text, rounding_text, steps_text, weight_decay
from .mindspore_state import read_state, write_state
from .notes import Note
from .schedules import DecayedRate, ListedRate
from .spec import PACKAGE_OPTIONS, Eps, Rule, Scheduled, Spec, WeightDecay, defaults_of, read_options

__all__ = ["RULE", "arguments_for", "describe", "read_state", "write_state"]

RULE = Rule(
    library="MindSpore",
    arguments={
        "initial": "accum",
        "rate": "learning_rate",
        "updates_accumulator": "update_slots",
        "loss_scale": "loss_scale",
        "weight_decay": "weight_decay",
        **{name: name for name in PACKAGE_OPTIONS},
    },
    number_rounding="float32",
    counter="optimizer",
    unscaling="float32 reciprocal",
    remarks={
        "updates_accumulator": "MindSpore 2.10 ignores update_slots=False on a CPU: it updates them too.",
    },
    import_line="from mindspore import nn",
    call="nn.Adagrad",
)
EPS = Eps(1e-8, "under the root")
"""The constant of MindSpore's operator ApplyAdagrad."""
SPARSE = "mindspore.nn.Adagrad raises an error for sparse gradients."
LIST = "mindspore.nn.Adagrad takes no Python function, but a list with one rate for each step"


def describe(arguments: Mapping[str, Any]) -> Spec:
    """Describe arguments of `MindSporeAdagrad` or ``mindspore.nn.Adagrad``."""
    options = read_options(MindSporeAdagrad, arguments)
    rate = given_rate(options["learning_rate"])
    if isinstance(rate, np.ndarray) and not rate.size:
        raise ValueError("learning_rate: expected a rate for each step, got none")
    return Spec(
        rule=RULE,
        options=options,
        given=frozenset(arguments),
        rate=ListedRate(rate) if isinstance(rate, np.ndarray) else rate,
        weight_decay=_decay(given_decay(options["weight_decay"])),
        initial=float(options["accum"]),
        eps=EPS,
        updates_accumulator=options["update_slots"],
        loss_scale=number(options["loss_scale"], "loss_scale"),
        sparse_decay="decays touched rows",
        **{name: options[name] for name in PACKAGE_OPTIONS},
    )


def _decay(value: Scheduled) -> WeightDecay:
    return WeightDecay(value, before_unscaling=True, exempt_names=("beta", "gamma"))


def arguments_for(spec: Spec) -> tuple[dict[str, Any], list[Note]]:
    """Return arguments of MindSpore for a description, and a note on each argument of the source."""
    advice = "Give [{'params': params}], one group, to decay all parameters."
    counterparts = [
        _rate(spec),
        _rate_decay(spec),
        weight_decay(spec, RULE, _decay(spec.weight_decay.value), advice),
        Counterpart("initial", "exact", "It becomes accum, the start of accumulators.", {"accum": spec.initial}),
        _eps(spec),
        Counterpart(
            "updates_accumulator", "exact", "It becomes update_slots.", {"update_slots": spec.updates_accumulator}
        ),
        Counterpart("loss_scale", "exact", "It becomes loss_scale.", {"loss_scale": spec.loss_scale}),
        _maximize(spec),
        _sparse_decay(spec),
    ]
    return collect(spec, RULE, defaults_of(MindSporeAdagrad), counterparts)


def _rate(spec: Spec) -> Counterpart:
    if isinstance(spec.rate, ListedRate):
        return Counterpart("rate", "exact", "It becomes learning_rate.", {"learning_rate": spec.rate.rates.tolist()})
    if callable(spec.rate):
        text = (
            f"The callable becomes learning_rate.{steps_text(spec.rule, RULE)} {LIST}: "
            f"[{spec.rule.arguments['rate']}(step) for step in range(steps)]."
        )
    else:
        text = f"It becomes learning_rate; its value stays the same.{rounding_text(spec.rule, RULE)}"
    return Counterpart("rate", "exact", text, {"learning_rate": spec.rate})


def _rate_decay(spec: Spec) -> Counterpart:
    if spec.rate_decay == 0:
        return Counterpart("rate_decay", "exact", "0 means no decay: no argument is needed.")
    rate, decay = (spec.rule.arguments[field] for field in ("rate", "rate_decay"))
    text = (
        f"learning_rate becomes a callable of the number of steps, {rate} / (1 + step * {decay})."
        f"{steps_text(spec.rule, RULE)} {LIST}: learning_rate.first(steps)."
    )
    decayed = DecayedRate(spec.rate, spec.rate_decay)
    return Counterpart("rate_decay", "no counterpart", text, {"learning_rate": decayed})


def _eps(spec: Spec) -> Counterpart:
    if spec.eps == EPS:
        return Counterpart("eps", "exact", "MindSpore always adds it: no argument is needed.")
    text = (
        f"{spec.rule.library} adds {spec.eps.value:g} {spec.eps.position}, MindSpore always adds {EPS.value:g} "
        f"{EPS.position}."
    )
    return Counterpart("eps", "approximated", f"{text}{eps_text(spec, RULE, EPS)}")


def _maximize(spec: Spec) -> Counterpart:
    if spec.maximize:
        return Counterpart("maximize", "no counterpart", "Give each step the negated gradients.")
    return Counterpart("maximize", "exact", "MindSpore minimises as well: no argument is needed.")


def _sparse_decay(spec: Spec) -> Counterpart:
    text = "With a sparse gradient MindSporeAdagrad decays touched rows"
    if spec.sparse_decay == "decays touched rows":
        return Counterpart("sparse_decay", "exact", f"{text}: no argument is needed. {SPARSE}")
    is_translated = spec.weight_decay.kind == "L2" and spec.weight_decay.value != 0
    if not is_translated and not spec.was_given("sparse_decay"):
        return Counterpart("sparse_decay", "exact", "Nothing decays: no argument is needed.")
    return Counterpart("sparse_decay", "no counterpart", f"{text}; {spec.rule.library} {spec.sparse_decay}. {SPARSE}")
