"""Files that are replaced atomically."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory

KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
MOUNTED = (errno.EBUSY, errno.EXDEV)  # a file that is mounted by itself cannot be replaced
NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM)


@contextmanager
def replacement(path: str) -> Iterator[str]:
    """Yield the path of an empty file that then replaces the one at `path`, if no error is raised.

    If the process or the machine stops meanwhile, the old file remains. The new file is made in a temporary folder
    beside `path`. If the process is killed, the folder ``.numpy-adagrad-*`` remains; nothing reads it. Only a file that
    cannot be replaced, because it is mounted by itself, is overwritten. Modes and the synchronization of folders are
    left out where the file system has none.
    """
    old_mode = _mode_of_old_file(path)
    target = os.path.realpath(path)  # a symbolic link stays, and its target is replaced
    folder = os.path.dirname(target)
    named = folder if os.path.islink(path) else os.path.dirname(path) or os.curdir
    with _temporary_folder(folder, named) as private:
        temporary = os.path.join(private, "checkpoint")
        with open(temporary, "xb") as file:
            new_mode = os.fstat(file.fileno()).st_mode & 0o777  # as the umask sets it; safetensors sets 0600
        yield temporary
        with suppress(OSError):
            os.chmod(temporary, new_mode if old_mode is None else old_mode)
        try:
            _sync(temporary)
        except OSError as error:
            if error.errno not in NO_SYNC:
                raise
        try:
            os.replace(temporary, target)
        except OSError as error:
            if error.errno not in MOUNTED or old_mode is None:
                raise
            shutil.copyfile(temporary, target)
            with suppress(OSError):
                _sync(target)
        with suppress(OSError):  # the new file is in its place
            _sync(folder)


def _mode_of_old_file(path: str) -> int | None:
    """Return the mode of a file that may be replaced, None if there is none; raise an error for anything else."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if os.path.basename(path) in ("", os.curdir, os.pardir):
            raise ValueError(f"path: expected the name of a file, got {path!r}") from None
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "another kind")
        raise ValueError(f"{path}: expected a regular file or a new name, got {kind}")
    # The superuser may write to a read-only file, but should not by accident.
    if not mode & 0o222:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    os.close(os.open(path, os.O_WRONLY))  # raises the system's error if it cannot be written
    return stat.S_IMODE(mode)


@contextmanager
def _temporary_folder(folder: str, named: str) -> Iterator[str]:
    """Make a folder in `folder`; an error calls that `named`, as the user does."""
    try:
        temporary = TemporaryDirectory(prefix=".numpy-adagrad-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, named) from None
    with temporary as private:
        yield private


def _sync(path: str) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
