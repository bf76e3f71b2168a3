"""The ends of messages that name the cure of a mistake."""

from __future__ import annotations

import sys
from collections.abc import Iterable
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


def level_of_user() -> int:
    """Return the `stacklevel` of a warning in the calling function that shows the line of the user's own program."""
    package, _, _ = __name__.partition(".")
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level


class NoAttribute:
    """A name that a user may take for an attribute of an optimizer: reading or assigning it raises AttributeError."""

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
