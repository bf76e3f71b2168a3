"""Compare a source's `Spec` with a target's rule: the notes, and the sentences that every target needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import Any, NamedTuple

from .error_bounds import NEAR, decay_bound, difference, equality_threshold, near_threshold, update_ratio
from .notes import Kind, Note
from .spec import PACKAGE_OPTIONS, Eps, Rule, Spec, WeightDecay


class Counterpart(NamedTuple):
    """The translation of one field of a `Spec`: kind and text of its `Note`, and arguments of the target."""

    field: str
    kind: Kind
    text: str
    arguments: Mapping[str, Any] = {}


def collect(
    spec: Spec, target: Rule, defaults: Mapping[str, Any], counterparts: Iterable[Counterpart]
) -> tuple[dict[str, Any], list[Note]]:
    """Return the target's arguments in the order of its signature, and the notes in the order of the source's.

    An argument that was not given is left out where the default of the target means the same.
    """
    arguments: dict[str, Any] = {}
    notes = [note for note in spec.notes if note.argument in spec.given or note.argument not in spec.options]
    for field, kind, text, result in (*counterparts, *_package_options(spec), *_accumulation(spec.rule, target)):
        name = spec.rule.arguments.get(field)
        changes = {key: value for key, value in result.items() if value != defaults[key]}
        if name is None:
            if kind == "exact" and not changes:
                continue
            name = next(iter(result), field)
        elif name not in spec.given and kind == "exact":
            if not changes:
                continue
            ((key, value),) = changes.items()
            kind = "defaults differ"
            text = (
                f"The default of {spec.rule.library} is {spec.options[name]!r}, that of {target.library} "
                f"{defaults[key]!r}: {key}={value!r}."
            )
        arguments.update(result)
        notes.append(Note(kind, name, text))
    order = {name: place for place, name in enumerate(spec.options)}
    notes.sort(key=lambda note: order.get(note.argument, len(order)))
    return {key: arguments[key] for key in defaults if key in arguments}, notes


def _package_options(spec: Spec) -> Iterable[Counterpart]:
    for name in PACKAGE_OPTIONS:
        value = getattr(spec, name)
        text = "An option of this package, the same for every rule."
        yield Counterpart(name, "exact", text, {} if value is None else {name: value})


def _accumulation(source: Rule, target: Rule) -> Iterable[Counterpart]:
    """Compare how accumulators grow, which no argument changes."""
    sums = {"element": "the square of each element of the gradient", "row": "the mean square of each row"}
    texts = [
        f"{rule.library} adds {sums[rule.accumulator_of]} to the accumulator {rule.accumulates} it divides by the root"
        for rule in (source, target)
    ]
    if (source.accumulates, source.accumulator_of) != (target.accumulates, target.accumulator_of):
        yield Counterpart("accumulator", "no counterpart", f"{texts[0]}; {texts[1]}.")


def rounding_text(source: Rule, target: Rule) -> str:
    """Say how both round a number, if they differ."""
    if source.number_rounding == target.number_rounding:
        return ""
    return f" {source.library} rounds it to {source.number_rounding}, {target.library} to {target.number_rounding}."


def steps_text(source: Rule, target: Rule) -> str:
    """Say which steps both count, if they differ."""
    if source.counter == target.counter:
        return ""
    return (
        f" {source.library} counts the steps of the {source.counter}, {target.library} those of the {target.counter}: "
        "the same if every parameter has a gradient in every step."
    )


def eps_text(spec: Spec, target: Rule, eps: Eps) -> str:
    """Compare the target's updates with the source's, which uses another eps."""
    both, start, names = (spec.eps, eps), spec.initial, (spec.rule.library, target.library)
    least, greatest = update_ratio(*both, start)
    bound = difference(*both, start)
    if bound <= NEAR:
        amount = f"differ from those of {names[0]} by at most {three_digits(bound, ROUND_CEILING)} times their size"
    else:
        from_to = f"{three_digits(least, ROUND_FLOOR)} to {three_digits(greatest, ROUND_CEILING)}"
        amount = f"are {from_to} times those of {names[0]}"
        if near_threshold(*both) < math.inf:
            amount += f", and differ by at most {NEAR:.0%} for accumulators of at least {near_threshold(*both):g}"
    text = f" Where accumulators start at {start:g}, updates of {names[1]} {amount}."
    if equality_threshold(*both) < math.inf:
        least_equal = three_digits(equality_threshold(*both), ROUND_CEILING)
        text += f" For accumulators of at least {least_equal}, neither eps changes a float32 result."
    divides_by_zero = [
        start == one.value == 0 and not rule.skips_zero_accumulators
        for one, rule in zip(both, (spec.rule, target), strict=True)
    ]
    if any(divides_by_zero) and not all(divides_by_zero):
        first, second = names if divides_by_zero[0] else reversed(names)
        text += f" A zero gradient on a zero accumulator gives NaN in {first}, and no update in {second}."
    return text


def three_digits(value: float, direction: str) -> str:
    """Write three digits that are no less, or no more, than the first nine of the value."""
    nine = Context(prec=9).create_decimal(value)
    return f"{float(Context(prec=3, rounding=direction).plus(nine)):g}"


DECAY_KINDS = {
    "L2": "adds weight_decay * parameter to the gradient",
    "L1": "adds weight_decay * sign(parameter) to the gradient",
    "decoupled": "subtracts rate * weight_decay * parameter from the parameter itself",
}


def weight_decay(spec: Spec, target: Rule, own: WeightDecay, advice: str = "") -> Counterpart:
    """Compare a weight decay with the target's; `advice` says how to decay the same parameters."""
    key, source = target.arguments["weight_decay"], spec.weight_decay
    if source.value == 0:
        return Counterpart("weight_decay", "exact", "0 means no decay in both.", {key: 0.0})
    if source.kind != own.kind:
        text = (
            f"{spec.rule.library} {DECAY_KINDS[source.kind]}, {target.library} {DECAY_KINDS[own.kind]}. "
            f"Leave {key} at 0 and decay the parameters yourself before each step."
        )
        return Counterpart("weight_decay", "no counterpart", text, {key: 0.0})
    text = _decay_text(spec, target, own, advice)
    return Counterpart(
        "weight_decay", "approximated" if text else "exact", text or f"It becomes {key}.", {key: own.value}
    )


def _decay_text(spec: Spec, target: Rule, own: WeightDecay, advice: str) -> str:
    source = spec.weight_decay
    sides = [(spec.rule.library, source), (target.library, own)]
    sentences = []
    product, gradient = decay_bound(source, own)
    if gradient:
        forms = {True: "T(T(w * weight_decay) + g)", False: "T(w * weight_decay + g)"}
        how = ", ".join(f"{library} computes {forms[decay.rounds_product]}" for library, decay in sides)
        sentences.append(
            f"With T for one rounding to the dtype, {how}: in float32 they differ by at most {product:.2g} * "
            f"|w * weight_decay| + {gradient:.2g} * |g|, where g is the result."
        )
    if source.before_unscaling != own.before_unscaling:
        before, after = sorted(sides, key=lambda side: not side[1].before_unscaling)
        sentences.append(
            f"{before[0]} adds the decay, times the loss scale, before it unscales the gradient; {after[0]} adds it "
            "afterwards: the same but for rounding."
        )
    if source.exempt_names != own.exempt_names:
        for library, decay in sides:
            names = " or ".join(f"`{name}`" for name in decay.exempt_names)
            sentences.append(
                f"Without groups {library} does not decay parameters with {names} in their name."
                if names
                else f"{library} decays all parameters."
            )
        sentences.append(advice)
    return " ".join(sentences)
