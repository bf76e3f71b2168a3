"""The ends of messages that name the cure of a mistake."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

SCHEDULES = "; numpy_adagrad.schedules has such rates, and schedulers of torch take a numpy_adagrad.torch.Adagrad"


def nearest(name: Any, names: Iterable[str]) -> str:
    """Return a question whether one of `names` was meant, or nothing if `name` is close to none of them.

    Examples
    --------
    >>> from numpy_adagrad.inputs.hints import nearest
    >>> nearest("weight_dcay", ["lr", "weight_decay"]), nearest("name", ["lr", "weight_decay"])
    ("; did you mean 'weight_decay'?", '')
    """
    found = get_close_matches(name.lower(), list(names), 1, 0.8) if isinstance(name, str) else []
    return f"; did you mean {found[0]!r}?" if found else ""


def scheduler(value: Any) -> str:
    """Return where to find schedules if `value` is a scheduler of torch, otherwise nothing."""
    return SCHEDULES if hasattr(type(value), "get_last_lr") else ""


def other_layout(state_dict: Any, keys: Iterable[str]) -> str:
    """Return the end of a message about a state dict that has none of its keys, but others; otherwise nothing.

    It is the cure, or the keys that the dict has.

    Examples
    --------
    >>> from numpy_adagrad.inputs.hints import other_layout
    >>> other_layout({"global_step": 1}, ["state", "param_groups"])
    '; numpy_adagrad.translate_state converts the state dict of another framework'
    >>> other_layout({"model": {}, "optimizer": {"state": {}, "param_groups": []}}, ["state", "param_groups"])
    "; give its entry 'optimizer'"
    """
    if not state_dict or any(key in state_dict for key in keys):
        return ""
    for name, entry in state_dict.items():
        if isinstance(entry, Mapping) and all(key in entry for key in keys):
            return f"; give its entry {name!r}"
    is_other = "global_step" in state_dict or "param_groups" in state_dict
    cure = "numpy_adagrad.translate_state converts the state dict of another framework"
    return f"; {cure}" if is_other else f", got the keys {[*state_dict]!r:.60}"


def level_of_user() -> int:
    """Return the `stacklevel` of a warning in the calling function that shows the line of the user's own program."""
    package, _, _ = __name__.partition(".")
    inside = (package, "contextlib")  # a frame of it lies around a function that has a context as its decorator
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in inside:
        frame, level = frame.f_back, level + 1
    return level


class NoAttribute:
    """Not an attribute: reading or assigning it raises AttributeError, which says where to find it."""

    def __init__(self, cure: str, *, of_subclasses: bool = True) -> None:
        """A user's own subclass may have the attribute unless `of_subclasses` is True."""
        self._cure = cure
        self._of_subclasses = of_subclasses

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if self._name in vars(instance):
            return vars(instance)[self._name]
        self._raise(instance)

    def __set__(self, instance: object, value: Any) -> None:
        if self._of_subclasses or "_rule" in vars(type(instance)):
            self._raise(instance)
        vars(instance)[self._name] = value

    def _raise(self, instance: object) -> NoReturn:
        raise AttributeError(f"{type(instance).__name__} has no attribute {self._name!r}; {self._cure}")
