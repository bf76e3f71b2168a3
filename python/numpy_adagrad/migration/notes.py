"""The notes of a translation: one for each argument."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["exact", "approximated", "no counterpart", "defaults differ"]


class Note(NamedTuple):
    """The translation of one argument in words."""

    kind: Kind
    """``exact``: the same except for rounding. ``approximated``: the text states the differences and their size.
    ``no counterpart``: the text describes a replacement. ``defaults differ``: the argument was not given, and the
    translation writes out the source's default.
    """

    argument: str
    """Its name in the source or, where only the target has it, in the target. For a property that no argument sets, its
    name in `Spec`.
    """

    text: str
    """One or more plain sentences."""
