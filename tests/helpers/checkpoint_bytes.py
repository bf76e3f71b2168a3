"""The bytes of checkpoints: taken apart, put together with the right digest, and loaded."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from helpers.contents import contents
from numpy_adagrad.optimizers._base import Optimizer

Header = dict[str, Any]
Change = Callable[[Header, bytearray], object]


def split(data: bytes) -> tuple[Header, bytearray]:
    """The header, in which the content is parsed, and the bytes of the arrays."""
    stop = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:stop])
    header["__metadata__"]["content"] = json.loads(header["__metadata__"]["content"])
    return header, bytearray(data[stop:])


def join(header: Header, payload: bytes | bytearray) -> bytes:
    """The bytes of a file. A content that is text stays as it is."""
    metadata = header.get("__metadata__")
    if isinstance(metadata, dict) and not isinstance(metadata.get("content", ""), str):
        header = {**header, "__metadata__": {**metadata, "content": json.dumps(metadata["content"])}}
    return with_header(json.dumps(header).encode(), payload)


def with_header(text: bytes, payload: bytes | bytearray) -> bytes:
    """The bytes of a file with this header. If the header has a digest and is sound, the digest is set right."""
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        header = json.loads(text)
        text = text.replace(header["__metadata__"]["sha256"].encode(), digest(header, payload).encode())
    return len(text).to_bytes(8, "little") + text + payload


def digest(header: Header, payload: bytes | bytearray) -> str:
    metadata = {key: value for key, value in header["__metadata__"].items() if key != "sha256"}
    arrays = sorted((key, entry) for key, entry in header.items() if key != "__metadata__")
    described = [[key, entry["dtype"], entry["shape"]] for key, entry in arrays]
    total = hashlib.sha256(json.dumps([metadata, described], sort_keys=True).encode())
    for _, entry in arrays:
        total.update(payload[slice(*entry["data_offsets"])])
    return total.hexdigest()


def change(path: Path, action: Change) -> None:
    """Change a file; its digest is right again."""
    header, payload = split(path.read_bytes())
    action(header, payload)
    path.write_bytes(join(header, payload))


def loads(optimizer: Optimizer, data: bytes) -> bool:
    """Load bytes as a checkpoint. If they do not load, the one documented error is raised and nothing has changed."""
    before = contents(optimizer)
    with open(os.memfd_create("checkpoint"), "wb", buffering=0) as file:  # in memory: a disk is slow
        file.write(data)
        path = f"/proc/self/fd/{file.fileno()}"
        try:
            optimizer.load(path, parameters=True)
        except ValueError as raised:
            error = raised
        else:
            return True
    assert type(error) is ValueError
    assert str(error).startswith(f"{path}: ")
    assert contents(optimizer) == before
    return False


def check_truncations_and_flips(optimizer: Optimizer, data: bytes) -> None:
    """No truncation of a checkpoint loads, nor a checkpoint in which one bit of any byte is flipped."""
    for at, byte in enumerate(data):
        assert not loads(optimizer, data[:at]), f"{at} of {len(data)} bytes"
        assert not loads(optimizer, data[:at] + bytes([byte ^ 1 << at % 8]) + data[at + 1 :]), f"byte {at}"
    assert loads(optimizer, data)
