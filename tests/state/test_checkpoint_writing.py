"""Writing a checkpoint: a failure at any point leaves the file that was there and nothing else."""

import errno
import os
import stat
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
from helpers.errors import RULES, refuses
from helpers.interpreters import STATUS, output
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
each_rule = pytest.mark.parametrize("rule", RULES)


def stepped(rule: Any, value: float = 1.0) -> Any:
    optimizer = rule({"w": np.full(1000, value), "b": np.full(3, value, np.float32)})
    optimizer.step({"w": np.full(1000, value), "b": np.full(3, value, np.float32)})
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
    (os, "chmod", failing(FULL)),
    (os, "fsync", failing(FULL)),
    (os, "fsync", failing(KeyboardInterrupt())),
    (os, "replace", failing(FULL)),
]


@each_rule
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(("module", "name", "fail"), FAILURES, ids=[f"{i} {f[1]}" for i, f in enumerate(FAILURES)])
def test_a_failure_leaves_the_old_file_alone(
    module: Any, name: str, fail: Any, there: bool, rule: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, optimizer = tmp_path / "a.safetensors", stepped(rule)
    if there:
        optimizer.save(path)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    optimizer.step({"w": np.ones(1000), "b": np.ones(3, np.float32)})
    state = contents(optimizer)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, fail)
        with pytest.raises((OSError, KeyboardInterrupt)) as caught:
            optimizer.save(path)
    assert getattr(caught.value, "errno", errno.ENOSPC) == errno.ENOSPC
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before
    assert contents(optimizer) == state
    optimizer.save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_limit_of_the_system(tmp_path: Path) -> None:
    """A write that the system itself refuses: the limit on the size of a file."""
    code = f"""
import os, resource, signal, numpy as np, numpy_adagrad
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
optimizer = numpy_adagrad.TorchAdagrad([np.ones(100_000)])
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    optimizer.save({str(tmp_path / "a")!r})
except OSError as error:
    print(error, os.listdir({str(tmp_path)!r}))
"""
    assert output(code) == f"[Errno 27] File too large: {str(tmp_path / 'a')!r} []\n"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_a_new_file(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        stepped(TorchAdagrad).save(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_file_and_folder_are_on_the_disk_before_save_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, os.replace

    def noted(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def renamed(*paths: str) -> None:
        calls.append("replace")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.chdir(tmp_path)
    stepped(TorchAdagrad).save("a")
    assert calls == ["file", "replace", "folder"]


@each_rule
def test_from_inside_a_step(rule: Any, tmp_path: Path) -> None:
    optimizer = stepped(rule)
    optimizer.save(tmp_path / "a")
    before, message = contents(optimizer), f"{rule.__name__}: called from inside one of its own steps"
    for call in (optimizer.save, optimizer.load):
        refuses(RuntimeError, message, partial(optimizer.step, closure=partial(call, tmp_path / "a")))
    assert contents(optimizer) == before


def wait_for_a_step(optimizer: Any) -> None:
    """A lock goes to whoever comes first: the other thread might else never come in between."""
    (counter, *_), end = optimizer._counters(optimizer._slots), time.monotonic() + 20
    before = int(counter.item())
    while int(counter.item()) == before and time.monotonic() < end:
        time.sleep(1e-4)


@each_rule
def test_beside_steps_of_another_thread(rule: Any, tmp_path: Path) -> None:
    """Each file holds a state between two steps: all counters and accumulators agree."""
    optimizer, stop = stepped(rule), threading.Event()
    grads = {"w": np.ones(1000), "b": np.ones(3, np.float32)}

    def step() -> None:
        while not stop.is_set():
            optimizer.step(grads)

    stepping = threading.Thread(target=step)
    stepping.start()
    try:
        for i in range(20):
            optimizer.save(tmp_path / f"{i}")
            wait_for_a_step(optimizer)
    finally:
        stop.set()
        stepping.join(30)
    start = 0.1 if rule is MindSporeAdagrad else 0
    seen = set()
    for i in range(20):
        loaded = stepped(rule, 2.0)
        loaded.load(tmp_path / f"{i}")
        counters = {int(counter.item()) for counter in loaded._counters(loaded._slots)}
        sums = {round(float(x) - start) for state in loaded.state.values() for x in state[rule._accumulator]}
        assert counters == sums
        seen |= counters
    assert len(seen) == 20


def test_a_parameter_that_is_changed_meanwhile_gives_a_file_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizer, write = stepped(TorchAdagrad), safetensors.numpy.save_file

    def writing(stored: Any, *more: Any) -> None:
        optimizer.param_groups[0]["params"][0][...] = 7
        write(stored, *more)

    monkeypatch.setattr(safetensors.numpy, "save_file", writing)
    optimizer.save(tmp_path / "a", parameters=True)
    optimizer.load(tmp_path / "a", parameters=True)
    assert np.all(optimizer.param_groups[0]["params"][0] == 7)


NAMES = [
    ({1: np.ones(3)}, {}, TypeError, "params: expected names that are text, got 1"),
    ({"\udc80": np.ones(3)}, {}, ValueError, "params: expected names that UTF-8 holds, got '\\udc80'"),
    (
        [np.ones(3)],
        {"label": {1}},
        TypeError,
        "param_groups[0]['label']: expected an array or what JSON holds, got set",
    ),
    (
        [np.ones(3)],
        {"lr": np.array(0.5, np.longdouble)},
        TypeError,
        "group.0.lr: expected a dtype that safetensors holds, got float128",
    ),
]


@pytest.mark.parametrize(("params", "option", "error", "message"), NAMES, ids=[case[3] for case in NAMES])
def test_what_no_file_can_hold(params: Any, option: Any, error: type, message: str, tmp_path: Path) -> None:
    optimizer = TorchAdagrad([{"params": params, **option}])
    refuses(error, message, lambda: optimizer.save(tmp_path / "a"))
    assert list(tmp_path.iterdir()) == []


@each_rule
def test_names_and_counters_that_would_not_load(rule: Any, tmp_path: Path) -> None:
    optimizer, path = stepped(rule), f"{tmp_path}/a.ckpt"
    message = f"{path}: expected a name without .ckpt, which is MindSpore's own format"
    refuses(ValueError, message, lambda: optimizer.save(path))
    optimizer._counters(optimizer._slots)[0][...] = -1
    refuses(ValueError, "steps[0]: expected a whole number of steps, got -1.0", lambda: optimizer.save(tmp_path / "a"))
    refuses(TypeError, "expected str, bytes or os.PathLike object, not int", lambda: optimizer.load(0))
    assert list(tmp_path.iterdir()) == []


PEAK = (
    STATUS
    + """
import os, numpy as np, numpy_adagrad, safetensors.numpy
optimizer = numpy_adagrad.TorchAdagrad([np.ones(20_000_000, np.float32)[::-1], np.ones(10_000_000, np.float32)])
optimizer.save("PATH/warm")
for call in (optimizer.save, optimizer.load):
    before = status("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    call("PATH/a", parameters=True)
    print((status("VmHWM") - before) / os.path.getsize("PATH/a"))
"""
)


def test_memory(tmp_path: Path) -> None:
    """Strided arrays are copied to be saved; a file is in memory twice while it is loaded."""
    saving, loading = map(float, output(PEAK.replace("PATH", str(tmp_path))).split())
    assert saving < 0.5
    assert loading < 2.05
