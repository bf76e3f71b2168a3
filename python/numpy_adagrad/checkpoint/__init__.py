"""Checkpoints of optimizers in safetensors files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .content import Content
from .encoding import decode, encode
from .safetensors_file import read, write

__all__ = ["CKPT", "Content", "file_name", "is_ckpt", "load", "naming", "save"]

CKPT = ".ckpt"  # the ending of MindSpore's own checkpoints


def file_name(path: str | os.PathLike[str]) -> str:
    """Return the name of a file as text; raise TypeError if it is not a path."""
    try:
        name = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path: expected a str or os.PathLike, got {type(path).__name__}") from None
    if "\0" in name:
        raise ValueError(f"path: expected a name without null characters, got {name!r}")
    return name


def is_ckpt(path: str) -> bool:
    """Tell whether a file has the name of a checkpoint of MindSpore, in upper or lower case."""
    return path.lower().endswith(CKPT)


def save(path: str, content: Content) -> None:
    """Write a checkpoint."""
    if is_ckpt(path):
        raise ValueError(f"{path}: expected a name without {CKPT}, which is MindSpore's own format")
    write(path, *encode(content))


def load(path: str, own: Content) -> Content:
    """Read a checkpoint for an optimizer whose own content is `own`; see `decode`."""
    return decode(*read(path), own)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Turn errors about the content of a file into the one documented ValueError, which names the file."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
