"""The notes of a translation: one for each argument."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["exact", "approximated", "no counterpart", "defaults differ"]


class Note(NamedTuple):
    """What happens to one argument."""

    kind: Kind
    """``exact``: the same but for rounding. ``approximated``: the text says what differs, and by how much.
    ``no counterpart``: the text says what to do instead. ``defaults differ``: the argument was not given, and the
    translation writes the source's default out.
    """

    argument: str
    """Its name in the source or, where only the target has it, in the target. For a property that no argument sets, its
    name in `Spec`.
    """

    text: str
    """One or more plain sentences."""
