"""MindSpore's Adagrad: describe its arguments and state dicts, and write those of any description."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.tensors import to_parameter
from ..inputs.types import Array
from ..inputs.validation import check_shape, number, read_entry, step_count
from ..optimizers._mindspore_arguments import ACCUM, MAX_STEPS, SHARED_RATE, check_names, read_decay, read_rate
from ..optimizers._mindspore_entries import rate_array
from ..optimizers.mindspore import MindSporeAdagrad
from .counterparts import Counterpart, collect, eps_text, rounding_text, steps_text, weight_decay
from .notes import Note
from .saved_state import Groups, State, check_steps, given_names, read_array
from .schedules import DecayedRate, ListedRate
from .spec import PACKAGE_OPTIONS, Eps, Rule, Scheduled, Spec, WeightDecay, defaults_of, read_options

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
LIST = "mindspore.nn.Adagrad takes no Python function, but a list with one rate for each step"


def describe(arguments: Mapping[str, Any]) -> Spec:
    """Describe arguments of `MindSporeAdagrad` or ``mindspore.nn.Adagrad``."""
    options = read_options(MindSporeAdagrad, RULE.library, arguments)
    rate = read_rate(options["learning_rate"])
    if isinstance(rate, np.ndarray) and not rate.size:
        raise ValueError("learning_rate: expected a rate for each step, got none")
    return Spec(
        rule=RULE,
        options=options,
        given=frozenset(arguments),
        rate=ListedRate(rate) if isinstance(rate, np.ndarray) else rate,
        weight_decay=_decay(read_decay(options["weight_decay"])),
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
        text = f"It becomes learning_rate, with its current value.{rounding_text(spec.rule, RULE)}"
    return Counterpart("rate", "exact", text, {"learning_rate": spec.rate})


def _rate_decay(spec: Spec) -> Counterpart:
    if spec.rate_decay == 0:
        return Counterpart("rate_decay", "exact", "0 means no decay: nothing to write.")
    rate, decay = (spec.rule.arguments[field] for field in ("rate", "rate_decay"))
    text = (
        f"learning_rate becomes a callable of the number of steps, {rate} / (1 + step * {decay})."
        f"{steps_text(spec.rule, RULE)} {LIST}: learning_rate.first(steps)."
    )
    decayed = DecayedRate(spec.rate, spec.rate_decay)
    return Counterpart("rate_decay", "no counterpart", text, {"learning_rate": decayed})


def _eps(spec: Spec) -> Counterpart:
    if spec.eps == EPS:
        return Counterpart("eps", "exact", "MindSpore always adds it: nothing to write.")
    text = (
        f"{spec.rule.library} adds {spec.eps.value:g} {spec.eps.position}, MindSpore always adds {EPS.value:g} "
        f"{EPS.position}."
    )
    return Counterpart("eps", "approximated", f"{text}{eps_text(spec, RULE, EPS)}")


def _maximize(spec: Spec) -> Counterpart:
    if spec.maximize:
        return Counterpart("maximize", "no counterpart", "Give each step the negated gradients.")
    return Counterpart("maximize", "exact", "MindSpore minimises as well: nothing to write.")


def _sparse_decay(spec: Spec) -> Counterpart:
    text = "With a sparse gradient MindSporeAdagrad decays touched rows"
    if spec.sparse_decay == "decays touched rows":
        return Counterpart("sparse_decay", "exact", f"{text}: nothing to write.")
    is_translated = spec.weight_decay.kind == "L2" and spec.weight_decay.value != 0
    if not is_translated and not spec.was_given("sparse_decay"):
        return Counterpart("sparse_decay", "exact", "Nothing decays: nothing to write.")
    return Counterpart("sparse_decay", "no counterpart", f"{text}; {spec.rule.library} {spec.sparse_decay}.")


def read_state(
    state_dict: Mapping[str, Any], *, names: Sequence[str] | None, groups: Groups, with_rates: bool
) -> State:
    """Read a state dict of MindSpore, which has neither groups nor their order."""
    steps = step_count(read_entry(state_dict, "global_step", "state_dict"), "global_step")
    names = None if names is None else given_names(names, "names")
    accumulators = {
        key.removeprefix(ACCUM): _real(key, value)
        for key, value in state_dict.items()
        if isinstance(key, str) and key.startswith(ACCUM)
    }
    label = "names" if groups is None else "groups"
    if groups is None:
        several = [key for key in state_dict if str(key).startswith(f"{SHARED_RATE}_group_")]
        if several and with_rates:
            raise ValueError(f"groups: expected the names in each, as there is a rate {several[0]!r}, got None")
        groups = [list(accumulators) if names is None else names]
    elif isinstance(groups, (str, bytes)) or not isinstance(groups, Iterable):
        raise TypeError(f"groups: expected a sequence of sequences of names, got {type(groups).__name__}")
    else:
        groups = [given_names(group, f"groups[{k}]") for k, group in enumerate(groups)]
    order = [name for group in groups for name in group]
    if sorted(order) != sorted(accumulators):
        raise ValueError(f"{label}: expected those of the accumulators, {list(accumulators)}, got {order}")
    if names not in (None, order):
        raise ValueError(f"names: expected those of groups, {order}, or None, got {names}")
    return State(
        names=order,
        accumulators=[accumulators[name] for name in order],
        steps=[steps] * len(order),
        group_sizes=[len(group) for group in groups],
        rates=[_saved_rate(state_dict, k) if with_rates else None for k in range(len(groups))],
    )


def _saved_rate(state_dict: Mapping[str, Any], k: int) -> Array | None:
    own = f"{SHARED_RATE}_group_{k}"
    key = own if own in state_dict else SHARED_RATE
    return rate_array(state_dict[key]) if key in state_dict else None


def write_state(
    state: State, *, parameters: Sequence[Any] | None, tensors: bool, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Make a state dict of MindSpore, which has no options."""
    for name in options:
        raise TypeError(f"{name}: expected no options for MindSpore, which saves none")
    if tensors and parameters is None:
        raise TypeError("parameters: expected them beside tensors=True, got None")
    count = len(state.accumulators)
    names = state.names or [f"param{i}" for i in range(count)]
    steps = {check_steps(steps, MAX_STEPS) for steps in state.steps}
    if len(steps) != 1:
        raise ValueError(f"step: expected one number of steps, as MindSpore has one for all, got {sorted(steps)}")
    check_names([{"param_names": names}], {}, grouped=len(state.rates) > 1, label="names")
    arrays = {"global_step": np.array([*steps], np.int32)}
    for k, rate in enumerate(state.rates):
        if rate is not None:
            name = SHARED_RATE if len(state.rates) == 1 else f"{SHARED_RATE}_group_{k}"
            arrays[name] = rate.astype(np.float32)
    if parameters is not None:
        if not isinstance(parameters, Collection) or isinstance(parameters, (str, bytes, Mapping)):
            raise TypeError(f"parameters: expected a sequence of arrays, got {type(parameters).__name__}")
        if len(parameters) != count:
            raise ValueError(f"parameters: expected {count}, got {len(parameters)}")
        for i, (name, sum_, param) in enumerate(zip(names, state.accumulators, parameters, strict=True)):
            label = f"parameters[{i}] ({name!r})"
            arrays[name] = _real(label, param)
            check_shape(label, sum_.shape, arrays[name].shape)
    arrays.update((f"{ACCUM}{name}", _real(name, sum_)) for name, sum_ in zip(names, state.accumulators, strict=True))
    return {name: to_parameter(name, array) if tensors else array for name, array in arrays.items()}


def _real(label: str, value: Any) -> Array:
    array = read_array(label, value)
    if array.dtype.kind == "c":
        raise TypeError(f"{label}: expected real values, as MindSpore has no complex parameters, got {array.dtype}")
    return array
