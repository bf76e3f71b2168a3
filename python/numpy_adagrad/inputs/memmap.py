"""Arrays that lie in files: a file cut short must not kill the process in the midst of a step."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .types import Array


class MappedFile(NamedTuple):
    """A mapped file, where the mapping ends in it, and how messages call the array."""

    map: mmap.mmap
    end: int
    label: str


def mapped_files(arrays: Iterable[tuple[str, Array]]) -> list[MappedFile]:
    """Find those of the arrays, named by labels, whose memory is a file's."""
    found: list[MappedFile] = []
    for label, array in arrays:
        base, start = array, 0
        while isinstance(base, np.ndarray):
            if isinstance(base, np.memmap):
                start = base.offset - base.offset % mmap.ALLOCATIONGRANULARITY
            base = base.base  # type: ignore[assignment]
        if isinstance(base, mmap.mmap):
            found.append(MappedFile(base, start + len(base), label))
    return found


def check_files(files: Iterable[MappedFile]) -> None:
    """Refuse a file that has become shorter than what is mapped of it.

    Reading or writing there would end the process. A file that another process cuts short during the step itself
    cannot be told in time.
    """
    for file in files:
        try:
            size = file.map.size()
        except (OSError, ValueError):  # anonymous memory, which has no size
            continue
        if size < file.end:
            raise ValueError(f"{file.label}: expected a file of {file.end} bytes, got one cut short to {size}")
