"""What each argument of MindSpore's Adagrad becomes in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..inputs.validation import number
from ..optimizers._mindspore_arguments import read_decay, read_rate
from .error_bounds import matching_eps
from .notes import DECAY_TEXT, Counterpart, Table, as_it_is, eps_text
from .schedules import ListedRate

Options = Mapping[str, Any]
EACH_STEP = "set group[{!r}] = {}(step) in param_groups before each step (0 first)"


def accum(options: Options) -> Counterpart:
    return Counterpart(
        "exact",
        "initial_accumulator_value, where accumulators start.",
        {"initial_accumulator_value": float(options["accum"])},
    )


def learning_rate(options: Options) -> Counterpart:
    rate = read_rate(options["learning_rate"])
    if isinstance(rate, float):
        text = "lr. MindSpore rounds it to float32, torch to the dtype of the parameter."
        return Counterpart("exact", text, {"lr": rate})
    form = "callable"
    if isinstance(rate, np.ndarray):
        rate, form = ListedRate(rate), "list, as a callable that ends where it does,"
    return Counterpart(
        "no counterpart",
        f"The {form} becomes lr, which TorchAdagrad takes; it is called with the steps of each parameter, the same as "
        "those of the optimizer where every parameter has a gradient in every step. torch.optim.Adagrad takes a "
        f"number: give it lr(0) and {EACH_STEP.format('lr', 'lr')}.",
        {"lr": rate},
    )


def update_slots(options: Options) -> Counterpart:
    if options["update_slots"]:
        return Counterpart("exact", "torch's accumulators always move: nothing to write.")
    return Counterpart(
        "no counterpart",
        "torch's accumulators always move. So do those of MindSpore 2.10 on a CPU, which ignores update_slots=False.",
    )


def loss_scale(options: Options) -> Counterpart:
    scale = number(options["loss_scale"], "loss_scale")
    if scale == 1:
        return Counterpart("exact", "1 scales nothing: nothing to write.")
    return Counterpart(
        "no counterpart",
        f"Give each step of TorchAdagrad grad_scale={scale!r}; divide the gradients of torch.optim.Adagrad by it. "
        "MindSpore multiplies by the reciprocal, rounded to float32: the same but for rounding.",
    )


def weight_decay(options: Options) -> Counterpart:
    decay = read_decay(options["weight_decay"])
    if decay == 0:
        return Counterpart("exact", "0 is no decay in both.", {"weight_decay": decay})
    end = (
        "give those a group with weight_decay=0. With sparse gradients MindSpore's rule decays the rows touched; torch "
        "raises, and TorchAdagrad needs sparse_weight_decay='touched'."
    )
    if callable(decay):
        each = EACH_STEP.format("weight_decay", "weight_decay")
        text = f"torch takes a number: weight_decay is that of step 0; {each}. {DECAY_TEXT}{end}"
        return Counterpart("no counterpart", text, {"weight_decay": number(decay(0), "weight_decay")})
    return Counterpart("approximated", DECAY_TEXT + end, {"weight_decay": decay})


def eps(options: Options) -> Counterpart:
    accumulator = float(options["accum"])
    value = matching_eps(accumulator)
    text = (
        f"MindSpore adds 1e-8 under the root, torch eps to it: eps={value:g} gives the same root, to three digits, "
        f"where accumulators start. {eps_text(value, accumulator)}"
    )
    return Counterpart("approximated", text, {"eps": value})


FROM_MINDSPORE: Table = {
    "accum": accum,
    "learning_rate": learning_rate,
    "update_slots": update_slots,
    "loss_scale": loss_scale,
    "weight_decay": weight_decay,
    "state_dtype": as_it_is("state_dtype"),
    "allocate": as_it_is("allocate"),
    "eps": eps,
}
