"""What a translation says of each argument, and the texts that both directions share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import Any, Literal, NamedTuple, TypeAlias

from .error_bounds import HALF_UNIT, NEAR, difference, equal_from, move_ratio, near_from

Kind: TypeAlias = Literal["exact", "approximated", "no counterpart", "defaults differ"]


class Note(NamedTuple):
    """What became of one argument."""

    kind: Kind
    """``exact``: the same but for rounding. ``approximated``: the text says what differs, and by how much.
    ``no counterpart``: the text says what to do instead. ``defaults differ``: it was not given, and is written out.
    """

    argument: str
    """Its name in the source or, where only the target has it, in the target."""

    text: str
    """One or more plain sentences."""


class Counterpart(NamedTuple):
    """What one argument of the source becomes: a kind and a text as in `Note`, and arguments of the target."""

    kind: Kind
    text: str
    arguments: Mapping[str, Any] = {}


Table: TypeAlias = Mapping[str, Callable[[Mapping[str, Any]], Counterpart]]
"""For each argument of a source, how it is translated in view of all arguments, defaults included."""


def eps_text(eps: float, accumulator: float) -> str:
    """Say how far MindSpore's moves are from torch's where accumulators start from that value."""
    least, most = move_ratio(eps, accumulator)
    greatest = difference(eps, accumulator)
    if greatest <= NEAR:
        amount = f"differ by at most {rounded(greatest, ROUND_CEILING)} of torch's"
    else:
        amount = f"are {rounded(least, ROUND_FLOOR)} to {rounded(most, ROUND_CEILING)} times torch's"
        if near_from(eps) < math.inf:
            amount += f", and differ by at most {NEAR:.0%} from accumulators of {near_from(eps):g} on"
    text = f"Where accumulators start from {accumulator:g}, MindSpore's moves {amount}"
    if equal_from(eps) < math.inf:
        text += f"; in float32 neither epsilon is seen from {rounded(equal_from(eps), ROUND_CEILING)} on"
    return f"{text}."


def rounded(value: float, direction: str) -> str:
    """Write three digits that are no less, or no more, than the first nine of the value."""
    nine = Context(prec=9).create_decimal(value)
    return f"{float(Context(prec=3, rounding=direction).plus(nine)):g}"


DECAY_TEXT = (
    f"MindSpore rounds twice, g = T(T(w * weight_decay) + g), torch once, g = fma(w, weight_decay, g): in float32 the "
    f"decayed g differs by at most {HALF_UNIT:.2g} * |w * weight_decay| + {2 * HALF_UNIT:.2g} * |g|. MindSpore decays "
    "before it divides by loss_scale, with weight_decay * loss_scale, torch after it divided by grad_scale: the same "
    "but for rounding. Without groups MindSpore does not decay parameters with `beta` or `gamma` in their name, "
    "torch decays all: "
)


OWN = ("state_dtype", "allocate")
"""What our optimizers of both rules take beside the frameworks' arguments."""


def as_it_is(name: str) -> Callable[[Mapping[str, Any]], Counterpart]:
    """Translate one of `OWN`."""

    def same(options: Mapping[str, Any]) -> Counterpart:
        value = options[name]
        text = "The same for both rules; of this package only."
        return Counterpart("exact", text, {} if value is None else {name: value})

    return same
