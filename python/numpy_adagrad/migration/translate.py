"""The translation of arguments between any two rules."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..inputs.rounding import ieee
from .notes import Note
from .registry import rule_modules


class Translation(NamedTuple):
    """The result of `translate`."""

    arguments: dict[str, Any]
    """Arguments of the target except for the parameters, in the order of its signature."""

    notes: list[Note]
    """A note on each argument, in the order of the source's signature."""


@ieee()
def translate(source: str, target: str, /, **arguments: Any) -> Translation:
    """Translate the arguments of one framework's Adagrad into those of another.

    ==========================================  ======================================================================
    torch                                       MindSpore
    ==========================================  ======================================================================
    ``lr=0.01``                                 ``learning_rate=0.001``
    ``lr_decay``                                a callable or list as ``learning_rate``
    ``weight_decay``                            ``weight_decay``: one rounding more, by default not for all parameters
    ``initial_accumulator_value=0``             ``accum=0.1``
    ``eps=1e-10``, added to the root            1e-8 under the root, not configurable
    ``foreach``, ``differentiable``, ``fused``  nothing
    ``maximize``                                nothing: negate the gradients
    nothing                                     ``update_slots``
    ``grad_scale`` of a step                    ``loss_scale``
    ==========================================  ======================================================================

    Parameters
    ----------
    source, target : 'torch' or 'mindspore'
        The frameworks, one of each.
    **arguments
        Arguments of the source's optimizer except for the parameters. `TorchAdagrad` and `MindSporeAdagrad` have all
        those of the frameworks, and their own: ``state_dtype``, ``sparse_weight_decay`` and ``allocate``.

    Returns
    -------
    Translation
        ``arguments`` for the target's optimizer, ours or the framework's, as plain Python numbers. Defaults of the
        source are written out where those of the target differ. A rate that changes is a callable, which the
        frameworks do not take; its note names a replacement.

        ``notes``, one for each argument given, for each default that differs, and for each default without an exact
        counterpart.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an argument or value that the source does not take, or a value that the target does not take.

    Examples
    --------
    >>> from numpy_adagrad import translate
    >>> arguments, notes = translate("torch", "mindspore", lr=0.05, lr_decay=1e-3)
    >>> arguments
    {'accum': 0.0, 'learning_rate': DecayedRate(lr=0.05, lr_decay=0.001)}
    >>> for note in notes:
    ...     print(note.kind, note.argument)
    exact lr
    no counterpart lr_decay
    defaults differ initial_accumulator_value
    approximated eps
    """
    source_rule, target_rule = rule_modules(source, target)
    translated, notes = target_rule.arguments_for(source_rule.describe(arguments))
    target_rule.describe(translated)  # raises an error for a value that the target does not take
    return Translation(translated, notes)
