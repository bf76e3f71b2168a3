"""The bytes of a checkpoint taken apart and put together again, with a digest that is right or left as it was."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARK = b'"sha256":"'
Change = Callable[[dict[str, Any], dict[str, Any], bytearray], Any]


def split(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytearray]:
    """The header without its content, the content, the bytes of the arrays."""
    stop = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:stop])
    content = json.loads(header["__metadata__"].pop("content"))
    return header, content, bytearray(data[stop:])


def joined(header: dict[str, Any], content: Any, payload: bytes | bytearray) -> bytes:
    """The bytes of a file whose digest is right."""
    metadata = header["__metadata__"]
    if "sha256" in metadata:
        metadata["sha256"] = "0" * 64
    return with_header({**header, "__metadata__": {**metadata, "content": json.dumps(content)}}, payload)


def with_header(header: Any, payload: bytes | bytearray) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return sealed(len(text).to_bytes(8, "little") + text + payload)


def sealed(data: bytes) -> bytes:
    """The same bytes with a right digest, if there is room for one."""
    start = data.find(MARK) + len(MARK)
    if start < len(MARK):
        return data
    head, tail = data[:start], data[start + 64 :]
    return head + hashlib.sha256(head + b"0" * 64 + tail).hexdigest().encode() + tail


def change(path: Path, action: Change) -> None:
    """Change what stands in a file; its digest is right again."""
    parts = split(path.read_bytes())
    action(*parts)
    path.write_bytes(joined(*parts))
