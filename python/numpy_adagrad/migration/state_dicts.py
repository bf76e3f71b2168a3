"""The translation of state dicts between any two rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..inputs.rounding import ieee
from ..inputs.validation import check_flag
from .registry import rule_modules


@ieee()
def translate_state(
    source: str,
    target: str,
    state_dict: Mapping[str, Any],
    *,
    names: Sequence[str] | None = None,
    groups: Sequence[Sequence[str]] | None = None,
    parameters: Sequence[Any] | None = None,
    tensors: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Return a state dict of one framework's Adagrad in the layout of another.

    ==========================  ==============================================================================
    torch                       MindSpore
    ==========================  ==============================================================================
    ``state[i]["sum"]``         ``accum.<name>``
    ``state[i]["step"]``, each  ``global_step``, one for all
    ``param_groups[k]["lr"]``   ``learning_rate``; with several groups ``learning_rate_group_<k>``; in float32
    ==========================  ==============================================================================

    Both accumulators hold their start plus the sum of the squared gradients, so no value changes.
    MindSpore does not save any other option: translate those with `translate`.

    Parameters
    ----------
    source, target : 'torch' or 'mindspore'
        The layout of `state_dict` and the layout to return.
    state_dict : mapping
        A state dict of the framework itself or of this package, with arrays or tensors. Parameters that MindSpore
        saves beside the accumulators are left out.
    names : sequence of str, optional
        The parameters' names in torch's order. They name the parameters for MindSpore, also where torch's state dict
        has other names (default: its own, or ``param0``, ``param1``, ...), and order them for torch if the order of the
        accumulators in `state_dict` is another.
    groups : sequence of sequences of str, optional
        For torch: the names of each group's parameters, which MindSpore does not save. Needed if each group has its own
        rate; group `k` has ``learning_rate_group_<k>`` if there is one. `names` beside them must be the same.
    parameters : sequence of arrays or tensors, optional
        For MindSpore: the parameters themselves in torch's order, to be saved beside the accumulators.
    tensors : bool, default False
        Copy arrays into what the target framework loads: torch tensors, or MindSpore parameters. Otherwise arrays
        are those of `state_dict` where possible. For MindSpore this needs `parameters`: without them,
        ``mindspore.load_param_into_net`` 2.10 takes ``accum.`` for a prefix and loads accumulators into parameters.
    **options
        For torch: options of its groups, with the defaults of `TorchAdagrad`. `lr` replaces the rates of
        `state_dict`, and is needed if they are a schedule, which is not saved, or a list.

    Returns
    -------
    dict
        The argument of ``load_state_dict`` of the target's optimizer. A group of torch with an `lr_decay` has no
        rate in it, like every schedule of MindSpore.

    Raises
    ------
    KeyError, TypeError, ValueError
        For an entry that is missing or cannot be translated: steps that differ between parameters, complex
        accumulators, a list of rates, rates of unknown groups, names that occur twice or that MindSpore uses itself,
        and those of torch's state dict in another order.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy_adagrad import TorchAdagrad, translate_state
    >>> opt = TorchAdagrad({"w": np.zeros(2, np.float32)}, lr=0.5)
    >>> opt.step({"w": np.array([1, 2], np.float32)})
    >>> for key, value in translate_state("torch", "mindspore", opt.state_dict()).items():
    ...     print(key, value)
    global_step [1]
    learning_rate 0.5
    accum.w [1. 4.]
    """
    check_flag("tensors", tensors)
    source_rule, target_rule = rule_modules(source, target)
    with_rates = target_rule.RULE.arguments["rate"] not in options
    state = source_rule.read_state(state_dict, names=names, groups=groups, with_rates=with_rates)
    return target_rule.write_state(state, parameters=parameters, tensors=tensors, options=options)
