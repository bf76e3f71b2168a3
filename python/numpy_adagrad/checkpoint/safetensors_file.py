"""Safetensors files that are written atomically, and checked against a digest when they are read.

The metadata are ``format`` and ``version``; ``content``, a description of the arrays in JSON; ``complex``, the JSON
list of the complex arrays, which are stored as reals with a last axis of 2, since safetensors has no complex128; and
``sha256``, the digest.

Version 1 differs in two points: the digest is that of the whole file, and the description has one more entry.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from io import BytesIO
from reprlib import repr  # short, whatever the file holds
from typing import Any

import numpy as np

from ..inputs.types import Array
from .digest import digest_of_arrays, digest_of_file, digest_of_version_1
from .replacement import replacement

FORMAT, VERSION, OLD_VERSION = "numpy-adagrad", "2", "1"
START = b'{"__metadata__":'
METADATA = {"format", "version", "content", "complex", "sha256"}
DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
DTYPES |= {f"{kind[0].upper()}{bits}": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
DTYPES["BOOL"] = "bool"
TAGS = {name: tag for tag, name in DTYPES.items()}


def write(path: str, arrays: Mapping[str, Array], content: Any) -> None:
    """Write a file atomically, as `replacement` does."""
    library = _library("save")
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "content": json.dumps(content),
        "complex": json.dumps([key for key, array in arrays.items() if array.dtype.kind == "c"]),
    }
    with replacement(path) as temporary:
        try:
            # Copies take memory, so that arrays are copied only if the first file is wrong.
            if not _save(library, temporary, arrays, metadata, copy=False):
                _save(library, temporary, arrays, metadata, copy=True)
        except library.SafetensorError as error:
            if "header too large" in str(error):
                text = "save: expected less than 100 MB of names, options and extra, as safetensors allows, got more"
                raise ValueError(text) from None
            raise _system_error(error, path) from None


def _save(library: Any, path: str, arrays: Mapping[str, Array], metadata: dict[str, str], *, copy: bool) -> bool:
    """Write a file; return whether its digest is right, as it is unless another thread changes an array meanwhile."""
    stored = {key: _stored(key, array, copy=copy) for key, array in arrays.items()}
    metadata["sha256"] = digest_of_arrays(metadata, stored, TAGS)
    library.numpy.save_file(stored, path, metadata)
    with open(path, "rb") as file:
        return digest_of_file(file) == metadata["sha256"]


def read(path: str) -> tuple[dict[str, Array], Any]:
    """Read and check a file; return its arrays and its content, which no longer depend on the file."""
    library = _library("load")
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):  # it may have no end
            raise ValueError("expected a file, got a device")
        data = file.read()
    try:
        entries = library.deserialize(data)
    except library.SafetensorError as error:
        is_own = not data or data[8:].startswith(START) or FORMAT.encode() in data
        text = "checkpoint, got a damaged one" if is_own else "safetensors file, got one that cannot be read as such"
        raise ValueError(f"expected a {text}: {error}") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of Rust, where Python has no memory for an array
            raise
        raise MemoryError(f"load: expected memory for the arrays of {path}") from None
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    metadata = _parse(header.decode(), "header").get("__metadata__") or {}
    if metadata.get("format") != FORMAT:
        cure = "; give load_state_dict the result of mindspore.load_checkpoint(..., format='safetensors')"
        got = f"{metadata.get('format')!r}{cure if metadata.get('format') == 'ms' else ''}"
        raise ValueError(f"expected a checkpoint of format {FORMAT!r}, got {got}")
    version = metadata.get("version")
    if version not in (VERSION, OLD_VERSION):
        raise ValueError(f"expected a checkpoint of version {OLD_VERSION!r} or {VERSION!r}, got {repr(version)}")
    if set(metadata) != METADATA:
        got = repr(sorted(metadata))
        raise ValueError(f"expected the metadata {sorted(METADATA)}, got a damaged file with {got}")
    digest = digest_of_file(BytesIO(data)) if version == VERSION else digest_of_version_1(data)
    if digest != metadata["sha256"]:
        raise ValueError(f"expected a file with the sha256 {metadata['sha256']:.64}, got a damaged one with {digest}")
    arrays = {key: _loaded(key, entry) for key, entry in entries}
    for key in check_texts(_parse(metadata["complex"], "complex"), "complex"):
        arrays[key] = _paired(key, arrays.get(key))
    content = _parse(metadata["content"], "content")
    if version == OLD_VERSION and type(content) is dict:
        content.pop("steps", None)  # repeats the counters, which are among the arrays
    return arrays, content


def check_texts(value: Any, label: str) -> list[str]:
    """Check that a value from JSON is a list of texts; return it."""
    if type(value) is not list or not all(type(item) is str for item in value):
        raise ValueError(f"{label}: expected a list of names, got {repr(value)}")
    return value


def _parse(text: str, label: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"{label}: expected JSON of a few levels, got a deeper one") from None
    except ValueError as error:
        raise ValueError(f"{label}: expected JSON, got one with {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError(f"a key twice: {repr([key for key, _ in pairs])}")
    return entries


def _library(action: str) -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        hint = 'pip install "numpy-adagrad[checkpoint]"'
        raise ImportError(f"{action}: expected safetensors to be installed, as by {hint}") from None
    return safetensors


def _system_error(error: Exception, path: str) -> OSError:
    """Return the system's error, which safetensors reports as text alone."""
    code = re.search(r"(?:os error|code:) (\d+)", str(error))
    return OSError(int(code[1]), os.strerror(int(code[1])), path) if code else OSError(f"{path}: {error}")


def _stored(key: str, array: Array, *, copy: bool) -> Array:
    """Return an array as safetensors stores it."""
    part = array.real.dtype if array.dtype.kind == "c" else array.dtype
    if part.name not in TAGS:
        raise TypeError(f"{key}: expected a dtype that safetensors holds, got {array.dtype}")
    native = array.astype(array.dtype.newbyteorder("="), order="C", subok=False, copy=copy)
    return native if part == array.dtype else native[..., np.newaxis].view(native.real.dtype)


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


def _paired(key: str, array: Array | None) -> Array:
    if array is None or array.shape[-1:] != (2,) or array.dtype.name not in ("float32", "float64"):
        found = "none" if array is None else f"shape {array.shape} and dtype {array.dtype}"
        raise ValueError(f"{key}: expected pairs of float32 or float64, got {found}")
    return array.view(f"c{2 * array.itemsize}")[..., 0]
