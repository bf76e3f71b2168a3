"""The file of a checkpoint: its mode, links, folders, disks, and paths that are no regular file."""

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.checkpoint_files import failing, files, gradients, stepped
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.errors import raises
from numpy_adagrad import TorchAdagrad


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_a_new_file(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        stepped(TorchAdagrad).save(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o640, 0o755])
def test_an_existing_file_keeps_its_mode(mode: int, tmp_path: Path) -> None:
    path, optimizer = tmp_path / "a", stepped(TorchAdagrad)
    optimizer.save(path)
    path.chmod(mode)
    optimizer.step(gradients())
    optimizer.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    loaded = stepped(TorchAdagrad)
    loaded.load(path)
    assert loaded.state[0]["step"] == 2


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_replaced(exists: bool, tmp_path: Path) -> None:
    folder, link = tmp_path / "runs", tmp_path / "latest"
    folder.mkdir()
    link.symlink_to(Path("runs") / "a")
    if exists:
        (folder / "a").write_bytes(b"old")
        (folder / "a").chmod(0o600)
    stepped(TorchAdagrad).save(link)
    assert os.readlink(link) == "runs/a"
    assert list(files(folder)) == ["a"]
    stepped(TorchAdagrad).load(folder / "a")
    if exists:
        assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o600


def test_a_loop_of_symbolic_links_raises(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number says more
        stepped(TorchAdagrad).save(tmp_path / "a")
    assert caught.value.errno == errno.ELOOP


def test_a_read_only_file_raises(dialect: Dialect, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(PermissionError) as caught:
        stepped(dialect.make).save(path)
    assert (caught.value.errno, caught.value.filename) == (errno.EACCES, str(path))
    assert files(tmp_path) == {"a": b"old"}


def test_what_is_no_regular_file_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = stepped(TorchAdagrad)
    fifo, sock, folder, device = (tmp_path / name for name in ("fifo", "socket", "folder", "device"))
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        server.bind("socket")
        folder.mkdir()
        expected = "expected a regular file or a new name, got"
        raises(ValueError, f"{fifo}: {expected} a FIFO", lambda: optimizer.save(fifo))
        raises(ValueError, f"{sock}: {expected} a socket", lambda: optimizer.save(sock))
        with pytest.raises(IsADirectoryError):
            optimizer.save(folder)
        (tmp_path / "link").symlink_to(fifo)
        link = tmp_path / "link"
        raises(ValueError, f"{link}: {expected} a FIFO", lambda: optimizer.save(link))
        assert stat.S_ISFIFO(fifo.stat().st_mode)
        assert stat.S_ISSOCK(sock.stat().st_mode)
    original = os.stat

    def with_device(path: Any, *arguments: Any, **options: Any) -> Any:
        if path == str(device):
            return os.stat_result((stat.S_IFCHR | 0o666, *[0] * 9))
        return original(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", with_device)
        raises(ValueError, f"{device}: {expected} a device", lambda: optimizer.save(device))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["fifo", "folder", "link", "socket"]


def test_a_device_is_not_read() -> None:
    """Some have no end."""
    raises(ValueError, "/dev/null: expected a file, got a device", lambda: TorchAdagrad([np.ones(3)]).load("/dev/null"))


@pytest.mark.parametrize("path", ["", "none/", "none/.", "none/.."])
def test_a_path_without_the_name_of_a_file_raises(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a file would lie elsewhere."""
    monkeypatch.chdir(tmp_path)
    optimizer = stepped(TorchAdagrad)
    raises(ValueError, f"path: expected the name of a file, got {path!r}", lambda: optimizer.save(path))
    assert files(tmp_path) == {}


def test_an_error_names_the_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        stepped(TorchAdagrad).save(tmp_path / "none" / "a")
    assert caught.value.filename == str(tmp_path / "none")


UNSUPPORTED = OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def assert_saves(optimizer: Any, path: Path) -> None:
    optimizer.save(path)
    loaded = stepped(TorchAdagrad, 2.0)
    loaded.load(path)
    assert contents(loaded)["state"] == contents(optimizer)["state"]
    assert list(files(path.parent)) == [path.name]


@pytest.mark.parametrize("name", ["chmod", "fsync"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_file_system_without_modes_or_synchronization(
    name: str, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizer = stepped(TorchAdagrad)
    if exists:
        optimizer.save(tmp_path / "a")
    monkeypatch.setattr(os, name, failing(UNSUPPORTED))
    assert_saves(optimizer, tmp_path / "a")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EINVAL, errno.EIO, errno.ENOSPC])
def test_no_error_after_the_file_has_been_replaced(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def replace_and_fail(*arguments: Any) -> None:
        replace(*arguments)
        monkeypatch.setattr(os, "fsync", failing(OSError(code, os.strerror(code))))

    monkeypatch.setattr(os, "replace", replace_and_fail)
    assert_saves(stepped(TorchAdagrad), tmp_path / "a")


def test_a_file_that_is_mounted_by_itself_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, optimizer = tmp_path / "a", stepped(TorchAdagrad)
    path.write_bytes(b"old" * 100_000)
    inode = path.stat().st_ino
    monkeypatch.setattr(os, "replace", failing(OSError(errno.EBUSY, os.strerror(errno.EBUSY))))
    assert_saves(optimizer, path)
    assert path.stat().st_ino == inode


def test_file_and_folder_are_on_the_disk_before_save_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def noted(name: str, call: Callable[..., None]) -> None:
        def note(*arguments: Any) -> None:
            is_folder = name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            calls.append(f"{name} folder" if is_folder else name)
            call(*arguments)

        monkeypatch.setattr(os, name, note)

    noted("fsync", os.fsync)
    noted("replace", os.replace)
    monkeypatch.chdir(tmp_path)
    stepped(TorchAdagrad).save("a")
    assert calls == ["fsync", "replace", "fsync folder"]
