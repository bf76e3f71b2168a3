"""Writing a checkpoint is atomic: after a failure or a kill, the old file is there, or the new one as a whole."""

import errno
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.errors import raises, raises_unchanged
from helpers.interpreters import SEARCH_PATH, program, script
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array
from programs.save_until_killed import PATH, state

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
KILLS = 100


def gradients(value: float = 1.0) -> dict[str, Array]:
    return {"w": np.full(1000, value), "b": np.full(3, value, np.float32)}


def stepped(make: Any, value: float = 1.0) -> Any:
    optimizer = make(gradients(value))
    optimizer.step(gradients(value))
    return optimizer


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


def half_written(stored: Any, path: str, metadata: Any) -> None:
    Path(path).write_bytes(b"half")
    raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


FAILURES = [
    (safetensors.numpy, "save_file", half_written),
    (safetensors.numpy, "save_file", failing(FULL)),
    (safetensors.numpy, "save_file", failing(KeyboardInterrupt())),
    (os, "fsync", failing(FULL)),
    (os, "fsync", failing(KeyboardInterrupt())),
    (os, "replace", failing(FULL)),
]


def files(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(("module", "name", "fail"), FAILURES, ids=[f"{i} {f[1]}" for i, f in enumerate(FAILURES)])
def test_a_failure_leaves_the_old_file(
    module: Any, name: str, fail: Any, exists: bool, dialect: Dialect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, optimizer = tmp_path / "a.safetensors", stepped(dialect.make)
    if exists:
        optimizer.save(path)
    optimizer.step(gradients())
    before, old = contents(optimizer), files(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, fail)
        with pytest.raises((OSError, KeyboardInterrupt)) as caught:
            optimizer.save(path)
    assert getattr(caught.value, "errno", errno.ENOSPC) == errno.ENOSPC
    assert files(tmp_path) == old
    assert contents(optimizer) == before
    optimizer.save(path)
    assert list(files(tmp_path)) == ["a.safetensors"]


def test_a_limit_of_the_system(tmp_path: Path) -> None:
    assert program("save_beyond_limit", tmp_path) == f"[Errno 27] File too large: {str(tmp_path / 'a')!r} []\n"


def test_kills_leave_a_whole_file(tmp_path: Path) -> None:
    """It is an old one or a new one. A killed process leaves a folder ``.numpy-adagrad-*``, which nothing reads."""
    path, rng, seen = tmp_path / PATH, random.Random(1), [0, 0]
    known = [contents(state(which)) for which in (0, 1)]
    loaded = state(0)
    start = time.perf_counter()
    loaded.save(path, parameters=True)
    duration = time.perf_counter() - start
    with subprocess.Popen(
        [sys.executable, script("save_until_killed")],
        env={**os.environ, "PYTHONPATH": SEARCH_PATH},
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as saving:
        assert saving.stdin
        assert saving.stdout
        for _ in range(KILLS):
            print(rng.randrange(2), file=saving.stdin, flush=True)
            child = int(saving.stdout.readline())
            time.sleep(3 * duration * rng.random())
            os.kill(child, signal.SIGKILL)
            assert saving.stdout.readline() == "dead\n"
            loaded.load(path, parameters=True)
            seen[known.index(contents(loaded))] += 1
        saving.stdin.close()
    assert sum(seen) == KILLS
    assert min(seen) > 0
    left_over = [entry.name for entry in tmp_path.iterdir() if entry != path]
    assert all(name.startswith(".numpy-adagrad-") for name in left_over)
    assert left_over  # some kills came while a file was being written


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


def test_loading_inside_a_step_raises(dialect: Dialect, tmp_path: Path) -> None:
    optimizer = stepped(dialect.make)
    optimizer.save(tmp_path / "a")
    message = f"{dialect.optimizer.__name__}: called from inside one of its own steps"
    step = partial(optimizer.step, closure=partial(optimizer.load, tmp_path / "a"))
    raises_unchanged(optimizer, RuntimeError, message, step)


def test_each_file_holds_a_state_between_two_steps(dialect: Dialect, tmp_path: Path) -> None:
    """Another thread steps all the time: counters and accumulators must agree."""
    optimizer, stop = stepped(dialect.make), threading.Event()

    def step() -> None:
        while not stop.is_set():
            optimizer.step(gradients())

    stepping = threading.Thread(target=step)
    stepping.start()
    try:
        for i in range(20):
            optimizer.save(tmp_path / f"{i}")
            before = dialect.steps(optimizer)
            while dialect.steps(optimizer) == before:
                assert stepping.is_alive()
                time.sleep(1e-4)
    finally:
        stop.set()
        stepping.join(30)
    start = dialect.accumulator(dialect.make([np.ones(1)]), 0).item()
    seen = set()
    for i in range(20):
        loaded = stepped(dialect.make, 2.0)
        loaded.load(tmp_path / f"{i}")
        steps = set(dialect.steps(loaded))
        assert steps == {round(float(x) - start) for accum in dialect.accumulators(loaded) for x in accum}
        seen |= steps
    assert len(seen) == 20


def test_parameters_may_change_while_they_are_saved(
    dialect: Dialect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file must agree with its digest."""
    optimizer, write = stepped(dialect.make), safetensors.numpy.save_file
    param = optimizer.param_groups[0]["params"][0]
    before = param.copy()

    def change_and_write(*arguments: Any) -> None:
        param[...] += 1
        write(*arguments)

    monkeypatch.setattr(safetensors.numpy, "save_file", change_and_write)
    optimizer.save(tmp_path / "a", parameters=True)
    assert np.array_equal(param, before + 2)
    optimizer.load(tmp_path / "a", parameters=True)
    assert np.array_equal(param, before + 1)  # the copy that was written the second time


ONE = [np.ones(3)]
UNSAVABLE: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ({1: np.ones(3)}, {}, TypeError, "params: expected names that are text, got 1"),
    ({"\udc80": np.ones(3)}, {}, ValueError, "params: expected names that UTF-8 holds, got '\\udc80'"),
    (ONE, {"a": {1}}, TypeError, "param_groups[0]['a']: expected an array or what JSON holds, got set"),
    (ONE, {"a": np.array(1, "g")}, TypeError, "group.0.a: expected a dtype that safetensors holds, got float128"),
]


@pytest.mark.parametrize(("params", "option", "error", "message"), UNSAVABLE, ids=[case[3] for case in UNSAVABLE])
def test_names_and_options_that_no_file_holds(
    params: Any, option: Any, error: type[Exception], message: str, tmp_path: Path
) -> None:
    optimizer = TorchAdagrad([{"params": params, **option}])
    raises(error, message, lambda: optimizer.save(tmp_path / "a"))
    assert files(tmp_path) == {}


def test_paths_and_counters_that_would_not_load(dialect: Dialect, tmp_path: Path) -> None:
    optimizer, path = stepped(dialect.make), f"{tmp_path}/a.ckpt"
    message = f"{path}: expected a name without .ckpt, which is MindSpore's own format"
    raises(ValueError, message, lambda: optimizer.save(path))
    optimizer._counters(optimizer._slots)[0][...] = -1
    raises(ValueError, "steps[0]: expected a whole number of steps, got -1.0", lambda: optimizer.save(tmp_path / "a"))
    raises(TypeError, "expected str, bytes or os.PathLike object, not int", lambda: optimizer.load(0))
    assert files(tmp_path) == {}


def test_memory(tmp_path: Path) -> None:
    """Saving copies strided arrays alone; loading holds the bytes of the file and its arrays."""
    saving, loading = map(float, program("checkpoint_memory", tmp_path).split())
    assert saving < 0.5
    assert loading < 2.05
