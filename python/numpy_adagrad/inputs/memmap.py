"""Arrays in memory-mapped files: detect truncated files before a step would raise SIGBUS."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from .. import _core


class MappedFile(NamedTuple):
    """A mapped file, the offset at which the mapping ends, and the name of the array in messages."""

    map: mmap.mmap
    end: int
    label: str


def mapped_files(arrays: Iterable[tuple[str, Any]]) -> list[MappedFile]:
    """Find the arrays that lie in an `mmap.mmap`, from pairs of label and array, and the files."""
    found: list[MappedFile] = []
    for label, array in arrays:
        mapping = _core.mapping_of(array)
        if mapping is not None:
            # The text of a mapping is the only place where Python says at which offset of the file it begins.
            offset = re.search(r"offset=(\d+)", mmap.mmap.__repr__(mapping))
            found.append(MappedFile(mapping, len(mapping) + (int(offset[1]) if offset else 0), label))
    return found


def check_files(files: Iterable[MappedFile]) -> None:
    """Raise ValueError if a file has become shorter than its mapping.

    Access beyond the end of the file would kill the process. A file that another process truncates during the step
    cannot be detected in time.
    """
    for file in files:
        try:
            size = mmap.mmap.size(file.map)
        except (OSError, ValueError):  # anonymous memory, which has no size
            continue
        if size < file.end:
            raise ValueError(f"{file.label}: expected a file of {file.end} bytes, got one cut short to {size}")


def check_arrays(arrays: Iterable[tuple[str, Any]]) -> None:
    """Raise ValueError if one of the arrays, given as pairs of label and array, lies in a file cut short."""
    check_files(mapped_files(arrays))
