"""The SHA-256 digest of a checkpoint.

It covers the metadata, apart from the digest itself, and the name, dtype, shape and bytes of every array, in the order
of the names. It is computed before a file is written, and from the file afterwards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from ..inputs.types import Array

CHUNK = 1 << 20
OLD_MARK = b'"sha256":"'  # quotes within strings are escaped, so that no text contains it


def digest_of_arrays(metadata: Mapping[str, str], arrays: Mapping[str, Array], tags: Mapping[str, str]) -> str:
    """Return the digest of arrays in C order; `tags` are the names that safetensors gives to dtypes."""
    entries = {key: {"dtype": tags[array.dtype.name], "shape": array.shape} for key, array in arrays.items()}
    parts = (arrays[key].reshape(-1).view(np.uint8).data for key in sorted(arrays))  # a buffer even of bfloat16
    return _digest(metadata, entries, parts)


def digest_of_file(file: BinaryIO) -> str:
    """Return the digest of a safetensors file whose structure is valid."""
    start = 8 + int.from_bytes(file.read(8), "little")
    entries = json.loads(file.read(start - 8))
    metadata = entries.pop("__metadata__")

    def parts() -> Iterator[bytes]:
        for key in sorted(entries):
            first, stop = entries[key]["data_offsets"]
            file.seek(start + first)
            yield from (file.read(min(CHUNK, stop - at)) for at in range(first, stop, CHUNK))

    return _digest(metadata, entries, parts())


def digest_of_version_1(data: bytes) -> str:
    """Return the digest of a file of version 1: that of all its bytes, with zeros for the digits of the digest."""
    start = data.find(OLD_MARK) + len(OLD_MARK)
    digest = hashlib.sha256(data[:start] + b"0" * 64)
    digest.update(memoryview(data)[start + 64 :])
    return digest.hexdigest()


def _digest(metadata: Mapping[str, str], entries: Mapping[str, Any], parts: Iterable[bytes | memoryview]) -> str:
    covered = {key: text for key, text in metadata.items() if key != "sha256"}
    described = [(key, entry["dtype"], entry["shape"]) for key, entry in sorted(entries.items())]
    digest = hashlib.sha256(json.dumps([covered, described], sort_keys=True).encode())
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
