"""What each argument of torch's Adagrad becomes in MindSpore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..inputs.validation import number
from .notes import DECAY_TEXT, Counterpart, Table, as_it_is, eps_text
from .schedules import DecayedRate

Options = Mapping[str, Any]
LIST = "mindspore.nn.Adagrad takes no Python function, but a list with one rate for each step"


def lr(options: Options) -> Counterpart:
    rate = options["lr"]
    if callable(rate):
        return Counterpart(
            "exact",
            "The callable becomes learning_rate. MindSpore's rule calls it with the steps of the optimizer, torch's "
            "with those of the parameter: the same where every parameter has a gradient in every step. "
            f"{LIST}: [lr(step) for step in range(steps)].",
            {"learning_rate": rate},
        )
    return Counterpart(
        "exact",
        "learning_rate, as the value is now. MindSpore rounds it to float32, torch to the dtype of the parameter.",
        {"learning_rate": number(rate, "lr")},
    )


def lr_decay(options: Options) -> Counterpart:
    decay = number(options["lr_decay"], "lr_decay")
    if decay == 0:
        return Counterpart("exact", "0 is no decay: nothing to write.")
    (rate,) = lr(options).arguments.values()
    return Counterpart(
        "no counterpart",
        "learning_rate becomes a callable, lr / (1 + step * lr_decay), of the steps of the optimizer; torch counts "
        "those of the parameter: the same where every parameter has a gradient in every step. "
        f"{LIST}: learning_rate.first(steps).",
        {"learning_rate": DecayedRate(rate, decay)},
    )


def weight_decay(options: Options) -> Counterpart:
    decay = number(options["weight_decay"], "weight_decay")
    if decay == 0:
        return Counterpart("exact", "0 is no decay in both.", {"weight_decay": decay})
    text = f"{DECAY_TEXT}give [{{'params': params}}], one group, to decay all of them."
    return Counterpart("approximated", text, {"weight_decay": decay})


def initial_accumulator_value(options: Options) -> Counterpart:
    value = number(options["initial_accumulator_value"], "initial_accumulator_value")
    return Counterpart("exact", "accum, where accumulators start.", {"accum": value})


def eps(options: Options) -> Counterpart:
    value = number(options["eps"], "eps")
    accumulator = number(options["initial_accumulator_value"], "initial_accumulator_value")
    text = f"torch adds {value:g} to the root, MindSpore 1e-8 under it, which no argument changes."
    if value == 0 and accumulator == 0:
        text += " A zero gradient on a zero accumulator gives NaN in torch, and no move in MindSpore."
    return Counterpart("approximated", f"{text} {eps_text(value, accumulator)}")


def path(options: Options) -> Counterpart:
    return Counterpart("exact", "It chooses how torch computes the same rule: nothing to write.")


def maximize(options: Options) -> Counterpart:
    if options["maximize"]:
        return Counterpart("no counterpart", "Give each step the negated gradients.")
    return Counterpart("exact", "Both minimise: nothing to write.")


def differentiable(options: Options) -> Counterpart:
    if options["differentiable"]:
        return Counterpart("no counterpart", "MindSpore takes no derivative through a step.")
    return Counterpart("exact", "MindSpore takes no derivative through a step: nothing to write.")


def sparse_weight_decay(options: Options) -> Counterpart:
    if options["sparse_weight_decay"] is None:
        return Counterpart("no counterpart", "MindSpore's rule does not refuse: it decays the rows touched.")
    return Counterpart("exact", "MindSpore's rule decays the rows that a sparse gradient touches: nothing to write.")


FROM_TORCH: Table = {
    "lr": lr,
    "lr_decay": lr_decay,
    "weight_decay": weight_decay,
    "initial_accumulator_value": initial_accumulator_value,
    "eps": eps,
    "foreach": path,
    "maximize": maximize,
    "differentiable": differentiable,
    "fused": path,
    "state_dtype": as_it_is("state_dtype"),
    "sparse_weight_decay": sparse_weight_decay,
    "allocate": as_it_is("allocate"),
}
