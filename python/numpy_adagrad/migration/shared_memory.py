"""Notice that a framework has given new memory to a tensor over which an array was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class SharedMemory:
    """The places of a live optimizer's tensors in memory, as they were when our arrays were made over them.

    A framework can move a tensor at any time, and free its old memory, which our arrays would still read and write.
    """

    def __init__(
        self, source: str, labels: Sequence[str], tensors: Callable[[], list[Any]], place: Callable[[Any], Any]
    ) -> None:
        self._source, self._labels, self._tensors, self._place = source, labels, tensors, place
        self._places = self._current()

    def _current(self) -> list[Any]:
        place = self._place
        return [None if tensor is None else place(tensor) for tensor in self._tensors()]

    def check(self) -> None:
        """Raise ValueError if a tensor lies elsewhere now, or if the optimizer has other tensors."""
        places = self._current()
        if places == self._places:
            return
        cure = f"call {self._source} again"
        if len(places) != len(self._places):
            expected = f"the {len(self._places)} tensors that {self._source} shared"
            raise ValueError(f"optimizer: expected {expected}, got {len(places)}; {cure}")
        label = next(label for label, old, new in zip(self._labels, self._places, places, strict=True) if old != new)
        raise ValueError(f"{label}: expected the memory that {self._source} shared, got other memory; {cure}")
