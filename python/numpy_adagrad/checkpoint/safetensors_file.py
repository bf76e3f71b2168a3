"""The file of a checkpoint: arrays and what is said of them, written as a whole or not at all, checked when read.

It is a safetensors file. Its metadata are ``format`` and ``version``; ``content``, in JSON; ``complex``, the JSON list
of the arrays of complex numbers, stored as reals with a last axis of 2, since safetensors has no complex128; and
``sha256``, the digest of the whole file with these 64 digits read as zeros.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import partial
from reprlib import repr  # short, whatever the file holds
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np

from ..inputs.types import Array

FORMAT, VERSION = "numpy-adagrad", "1"
METADATA = {"format", "version", "content", "complex", "sha256"}
DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
DTYPES |= {f"{kind[0].upper()}{bits}": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}

MARK, ZEROS = b'"sha256":"', b"0" * 64  # no string within JSON holds the mark: its quotes would be escaped
CHUNK = 1 << 20


def write(path: str, arrays: Mapping[str, Array], content: Any) -> None:
    """Write a file that is there as a whole or not at all, even if the process or the machine stops meanwhile.

    It is made in a folder of its own beside `path` and moved over it. A process that is killed leaves that folder,
    ``.numpy-adagrad-*``, behind; nothing ever reads it.
    """
    library = _library("save")
    stored = {key: _stored(key, array) for key, array in arrays.items()}
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "content": json.dumps(content),
        "complex": json.dumps([key for key, array in arrays.items() if array.dtype.kind == "c"]),
        "sha256": ZEROS.decode(),
    }
    folder = os.path.dirname(path) or "."
    with TemporaryDirectory(prefix=".numpy-adagrad-", dir=folder, ignore_cleanup_errors=True) as private:
        made = os.path.join(private, "checkpoint")
        with open(made, "xb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777  # what the umask leaves; safetensors makes a file of 0600
        try:
            library.numpy.save_file(stored, made, metadata)
        except library.SafetensorError as error:
            raise _system_error(error, path) from None
        os.chmod(made, mode)
        with open(made, "r+b") as file:
            _seal(file)
            os.fsync(file.fileno())
        os.replace(made, path)
        _sync_folder(folder)


def read(path: str) -> tuple[dict[str, Array], Any]:
    """Read what `write` wrote. It is all in memory then, so that nobody changes it after these checks."""
    library = _library("load")
    with open(path, "rb") as file:
        data = file.read()
    try:
        entries = library.deserialize(data)
    except library.SafetensorError as error:
        raise ValueError(f"expected a safetensors file, got one with {error}") from None
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    metadata = _parsed(header.decode(), "header").get("__metadata__") or {}
    for key, expected in (("format", FORMAT), ("version", VERSION)):
        if metadata.get(key) != expected:
            raise ValueError(f"expected a checkpoint of {key} {expected!r}, got {repr(metadata.get(key))}")
    if set(metadata) != METADATA:
        raise ValueError(f"expected the metadata {sorted(METADATA)}, got {repr(sorted(metadata))}")
    _check_seal(data, 8 + _digits(header), metadata["sha256"])
    arrays = {key: _loaded(key, entry) for key, entry in entries}
    for key in texts(_parsed(metadata["complex"], "complex"), "complex"):
        arrays[key] = _paired(key, arrays.get(key))
    return arrays, _parsed(metadata["content"], "content")


def texts(value: Any, label: str) -> list[str]:
    """Check a list of texts."""
    if type(value) is not list or not all(type(item) is str for item in value):
        raise ValueError(f"{label}: expected a list of names, got {repr(value)}")
    return value


def _parsed(text: str, label: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"{label}: expected JSON of a few levels, got a deeper one") from None
    except ValueError as error:
        raise ValueError(f"{label}: expected JSON, got one with {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError(f"a key twice: {repr([key for key, _ in pairs])}")
    return read


def _library(action: str) -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        hint = 'pip install "numpy-adagrad[checkpoint]"'
        raise ImportError(f"{action}: expected safetensors to be installed, as by {hint}") from None
    return safetensors


def _system_error(error: Exception, path: str) -> OSError:
    """Turn an error of the library, which names the system's only in its text, into the system's."""
    code = re.search(r"(?:os error|code:) (\d+)", str(error))
    return OSError(int(code[1]), os.strerror(int(code[1])), path) if code else OSError(f"{path}: {error}")


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# The digest


def _digits(header: bytes) -> int:
    """Where the digest's digits begin."""
    start = header.find(MARK)
    if start < 0:
        raise ValueError(f"expected {MARK.decode()} in the header, got none")
    return start + len(MARK)


def _digest(parts: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _seal(file: IO[bytes]) -> None:
    """Put the digest of what is in the file: parameters may have been changed while they were written."""
    digest = _digest(iter(partial(file.read, CHUNK), b""))
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    file.seek(8 + _digits(file.read(length)))
    file.write(digest.encode())
    file.flush()


def _check_seal(data: bytes, start: int, stated: str) -> None:
    view = memoryview(data)
    digest = _digest([view[:start], ZEROS, view[start + len(ZEROS) :]])
    if digest != stated:
        raise ValueError(f"expected bytes with the sha256 {stated:.64}, got {digest}")


# Arrays


def _stored(key: str, array: Array) -> Array:
    if array.dtype.kind == "c" and array.real.dtype.name in DTYPES.values():
        return np.asarray(array, order="C")[..., np.newaxis].view(array.real.dtype)
    if array.dtype.name not in DTYPES.values():
        raise TypeError(f"{key}: expected a dtype that safetensors holds, got {array.dtype}")
    return np.asarray(array, order="C")


def _loaded(key: str, entry: Mapping[str, Any]) -> Array:
    name = DTYPES.get(entry["dtype"])
    if name is None:
        raise ValueError(f"{key}: expected a dtype among {list(DTYPES)}, got {entry['dtype']}")
    if name == "bfloat16":
        try:
            import ml_dtypes  # noqa: F401 - makes NumPy know the name
        except ImportError:
            hint = 'pip install "numpy-adagrad[bf16]"'
            raise ImportError(f"load: expected ml_dtypes to be installed for bfloat16, as by {hint}") from None
    try:
        return np.ndarray(entry["shape"], np.dtype(name), entry["data"])
    except (ValueError, OverflowError):  # too many dimensions or, beside one of 0, too large ones
        raise ValueError(f"{key}: expected a shape that NumPy holds, got {repr(entry['shape'])}") from None


def _paired(key: Any, array: Array | None) -> Array:
    if array is None or array.shape[-1:] != (2,) or array.dtype.name not in ("float32", "float64"):
        found = "none" if array is None else f"shape {array.shape} and dtype {array.dtype}"
        raise ValueError(f"{key}: expected pairs of float32 or float64, got {found}")
    return array.view(f"c{2 * array.itemsize}")[..., 0]
