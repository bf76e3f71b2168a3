"""torch's Adagrad: describe its arguments, and write those of any description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..inputs.validation import ABOVE_FLOAT32, BELOW_FLOAT32, number
from ..optimizers.torch import TorchAdagrad
from .counterparts import Counterpart, collect, eps_text, rounding_text, steps_text, weight_decay
from .error_bounds import matching_eps
from .notes import Note
from .schedules import ListedRate
from .spec import PACKAGE_OPTIONS, Eps, Rule, Scheduled, Spec, WeightDecay, defaults_of, read_options
from .torch_state import read_state, write_state

__all__ = ["RULE", "arguments_for", "describe", "read_state", "write_state"]

RULE = Rule(
    library="torch",
    arguments={
        "rate": "lr",
        "rate_decay": "lr_decay",
        "weight_decay": "weight_decay",
        "initial": "initial_accumulator_value",
        "eps": "eps",
        "maximize": "maximize",
        "sparse_decay": "sparse_weight_decay",
        **{name: name for name in PACKAGE_OPTIONS},
    },
    number_rounding="the dtype of the parameter",
    counter="parameter",
    import_line="import torch",
    call="torch.optim.Adagrad",
    set_rate='for group in optimizer.param_groups:\n    group["lr"] = {rate}',
)
EACH_STEP = "set group[{0!r}] = {0}(step) in param_groups before each step (0 first)"


def describe(arguments: Mapping[str, Any]) -> Spec:
    """Describe arguments of `TorchAdagrad` or ``torch.optim.Adagrad``."""
    # Our optimizer computes the fused path only; torch takes these without fused=True.
    unchecked = () if arguments.get("fused") else ("foreach", "differentiable")
    options = read_options(TorchAdagrad, arguments, unchecked)
    numbers = {name: number(options[name], name) for name in ("lr_decay", "weight_decay", "eps")}
    return Spec(
        rule=RULE,
        options=options,
        given=frozenset(arguments),
        rate=options["lr"] if callable(options["lr"]) else number(options["lr"], "lr"),
        rate_decay=numbers["lr_decay"],
        weight_decay=_decay(numbers["weight_decay"]),
        initial=number(options["initial_accumulator_value"], "initial_accumulator_value"),
        eps=Eps(numbers["eps"], "to the root"),
        maximize=bool(options["maximize"]),
        sparse_decay="raises an error" if options["sparse_weight_decay"] is None else "decays touched rows",
        notes=_library_notes(options),
        **{name: options[name] for name in PACKAGE_OPTIONS},
    )


def _decay(value: Scheduled) -> WeightDecay:
    return WeightDecay(value, rounds_product=False)


def _library_notes(options: Mapping[str, Any]) -> list[Note]:
    path = (
        "It selects one of torch's implementations of the same rule, which differ in rounding: no argument is needed."
    )
    if options["differentiable"]:
        differentiable = Note("no counterpart", "differentiable", "Only torch takes a derivative through a step.")
    else:
        differentiable = Note(
            "exact", "differentiable", "No derivative is taken through a step: no argument is needed."
        )
    return [Note("exact", "foreach", path), differentiable, Note("exact", "fused", path)]


def arguments_for(spec: Spec) -> tuple[dict[str, Any], list[Note]]:
    """Return arguments of torch for a description, and a note on each argument of the source."""
    counterparts = [
        _rate(spec),
        Counterpart(
            "rate_decay", "exact", f"It becomes lr_decay.{steps_text(spec.rule, RULE)}", {"lr_decay": spec.rate_decay}
        ),
        _weight_decay(spec),
        Counterpart(
            "initial",
            "exact",
            "It becomes initial_accumulator_value, the start of accumulators.",
            {"initial_accumulator_value": spec.initial},
        ),
        _eps(spec),
        _updates(spec),
        _loss_scale(spec),
        Counterpart("maximize", "exact", "It becomes maximize.", {"maximize": spec.maximize}),
    ]
    return collect(spec, RULE, defaults_of(TorchAdagrad), counterparts)


def _rate(spec: Spec) -> Counterpart:
    if not callable(spec.rate):
        return Counterpart("rate", "exact", f"It becomes lr.{rounding_text(spec.rule, RULE)}", {"lr": spec.rate})
    form = "list, as a callable that ends where the list does," if isinstance(spec.rate, ListedRate) else "callable"
    text = (
        f"The {form} becomes lr, which TorchAdagrad takes.{steps_text(spec.rule, RULE)} torch.optim.Adagrad takes a "
        f"number: give it lr(0) and {EACH_STEP.format('lr')}."
    )
    return Counterpart("rate", "no counterpart", text, {"lr": spec.rate})


def _weight_decay(spec: Spec) -> Counterpart:
    source = spec.weight_decay.value
    value = number(source(0), "weight_decay") if callable(source) else source
    result = weight_decay(
        spec, RULE, _decay(value), "Give the parameters that do not decay a group with weight_decay=0."
    )
    if source == 0 or spec.weight_decay.kind != "L2":
        return result
    if spec.sparse_decay != "raises an error":
        text = (
            f"{result.text} With a sparse gradient {spec.rule.library} {spec.sparse_decay}; torch raises an error, "
            "and TorchAdagrad decays touched rows with sparse_weight_decay='touched'."
        )
        result = result._replace(text=text)
    if callable(source):
        text = (
            f"torch takes a number: weight_decay is that of step 0; {EACH_STEP.format('weight_decay')}. {result.text}"
        )
        result = result._replace(kind="no counterpart", text=text)
    return result


def _eps(spec: Spec) -> Counterpart:
    eps = Eps(matching_eps(spec.eps, "to the root", spec.initial), "to the root")
    if spec.eps.position == eps.position or spec.eps.value == 0:
        return Counterpart("eps", "exact", "It becomes eps, added to the root.", {"eps": eps.value})
    text = (
        f"{spec.rule.library} adds {spec.eps.value:g} {spec.eps.position}, torch adds eps to the root: "
        f"eps={eps.value:g} gives the same divisor, to three digits, where accumulators start."
        f"{eps_text(spec, RULE, eps)}"
    )
    return Counterpart("eps", "approximated", text, {"eps": eps.value})


def _updates(spec: Spec) -> Counterpart:
    if spec.updates_accumulator:
        text = "torch always updates its accumulators: no argument is needed."
        return Counterpart("updates_accumulator", "exact", text)
    text = f"torch always updates its accumulators. {spec.rule.remarks.get('updates_accumulator', '')}"
    return Counterpart("updates_accumulator", "no counterpart", text.rstrip())


def _loss_scale(spec: Spec) -> Counterpart:
    if spec.loss_scale == 1:
        return Counterpart("loss_scale", "exact", "1 scales nothing: no argument is needed.")
    if not BELOW_FLOAT32 < spec.loss_scale < ABOVE_FLOAT32:
        text = f"{spec.loss_scale!r} lies outside float32, where grad_scale of TorchAdagrad is no counterpart."
        return Counterpart("loss_scale", "no counterpart", text)
    text = (
        f"Give each step of TorchAdagrad grad_scale={spec.loss_scale!r}; divide the gradients of torch.optim.Adagrad "
        "by it."
    )
    if spec.rule.unscaling == "float32 reciprocal":
        text += f" {spec.rule.library} multiplies by the reciprocal, rounded to float32: the same but for rounding."
    return Counterpart("loss_scale", "no counterpart", text)
