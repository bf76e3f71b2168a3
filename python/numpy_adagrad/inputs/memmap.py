"""Memory-mapped arrays: detect truncated files before a step would raise SIGBUS."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .types import Array


class MappedFile(NamedTuple):
    """A mapped file, the offset at which the mapping ends, and the name of the array in messages."""

    map: mmap.mmap
    end: int
    label: str


def mapped_files(arrays: Iterable[tuple[str, Array]]) -> list[MappedFile]:
    """Find the arrays that are memory-mapped, from pairs of label and array."""
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
    """Raise ValueError if a file has become shorter than its mapping.

    Access beyond the end of the file would kill the process. A file that another process truncates during the step
    cannot be detected in time.
    """
    for file in files:
        try:
            size = file.map.size()
        except (OSError, ValueError):  # anonymous memory, which has no size
            continue
        if size < file.end:
            raise ValueError(f"{file.label}: expected a file of {file.end} bytes, got one cut short to {size}")
