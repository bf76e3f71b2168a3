"""Writing a checkpoint is atomic: after a failure or a kill, the old file is there, or the new one as a whole."""

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from helpers.checkpoint_files import failing, files, gradients, stepped
from helpers.contents import contents
from helpers.dialects import Dialect
from helpers.effort import times
from helpers.errors import raises, raises_unchanged
from helpers.interpreters import SEARCH_PATH, program, script
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from programs.save_until_killed import PATH, state

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
KILLS = times(100, 200)


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
    times_saved = [time.perf_counter()]
    for _ in range(3):
        loaded.save(path, parameters=True)
        times_saved.append(time.perf_counter())
    duration = min(np.diff(times_saved))  # a pause of the machine would put all kills after the file is written
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


def test_loading_inside_a_step_raises(dialect: Dialect, tmp_path: Path) -> None:
    optimizer = stepped(dialect.make)
    optimizer.save(tmp_path / "a")
    message = f"{dialect.optimizer.__name__}: called from inside its own step or allocate"
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
UNSAVABLE: list[tuple[Any, dict[Any, Any], type[Exception], str]] = [
    ({1: np.ones(3)}, {}, TypeError, "params: expected names of type str, got 1"),
    ({"\udc80": np.ones(3)}, {}, ValueError, "params: expected names that UTF-8 holds, got '\\udc80'"),
    (ONE, {"a": {1}}, TypeError, "param_groups[0]['a']: expected an array or a value that JSON can hold, got set"),
    (ONE, {1: 2}, TypeError, "param_groups[0]: expected keys of type str, got 1"),
    (ONE, {"a": [{1: 2}]}, TypeError, "param_groups[0]: expected keys of type str, got 1"),
    (
        ONE,
        {"a": np.ma.ones(1)},
        TypeError,
        "param_groups[0]['a']: expected an array without a mask, got MaskedArray; fill it with .filled(0)",
    ),
    (ONE, {"a": np.array(1, "G")}, TypeError, "group.0.a: expected a dtype that safetensors holds, got complex256"),
]


@pytest.mark.parametrize(
    "rate", [np.longdouble(0.1), np.array([0.1], "g"), np.array(0.1, ">f4"), np.array(0.1, ">f8")], ids=repr
)
def test_rates_in_dtypes_of_numpy_alone(rate: Any, tmp_path: Path) -> None:
    """The step took them, but `save` and `state_dict(tensors=True)` did not."""
    optimizer, loaded = TorchAdagrad([np.ones(3)], lr=rate), TorchAdagrad([np.ones(3)])
    optimizer.step([np.ones(3)])
    optimizer.save(tmp_path / "a")
    loaded.load(tmp_path / "a")
    saved = optimizer.state_dict(tensors=True)["param_groups"][0]["lr"]
    for found in (loaded.param_groups[0]["lr"], saved):
        assert float(np.asarray(found).item()) == float(np.asarray(rate).item())


@pytest.mark.parametrize("value", ["no", 1, None])
def test_parameters_is_a_flag(dialect: Dialect, value: Any, tmp_path: Path) -> None:
    """A text would be true."""
    optimizer = dialect.make([np.ones(3)])
    optimizer.save(tmp_path / "a", parameters=True)
    message = f"parameters: expected True or False, got {value!r}"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.load(tmp_path / "a", parameters=value))
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.save(tmp_path / "b", parameters=value))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(("rule", "name"), [(TorchAdagrad, "tensors"), (MindSporeAdagrad, "parameters")])
def test_options_of_a_state_dict_are_flags(rule: Any, name: str) -> None:
    optimizer, options = rule([np.ones(3)]), {name: "no"}
    message = f"{name}: expected True or False, got 'no'"
    raises_unchanged(optimizer, TypeError, message, lambda: optimizer.state_dict(**options))


@pytest.mark.parametrize(("params", "option", "error", "message"), UNSAVABLE, ids=[case[3] for case in UNSAVABLE])
def test_names_and_options_that_no_file_holds(
    params: Any, option: Any, error: type[Exception], message: str, tmp_path: Path
) -> None:
    optimizer = TorchAdagrad([{"params": params, **option}])
    raises(error, message, lambda: optimizer.save(tmp_path / "a"))
    assert files(tmp_path) == {}


def test_paths_groups_and_counters_that_would_not_load(dialect: Dialect, tmp_path: Path) -> None:
    optimizer, path = stepped(dialect.make), f"{tmp_path}/a.ckpt"
    message = f"{path}: expected a name without .ckpt, which is MindSpore's own format"
    raises(ValueError, message, lambda: optimizer.save(path))
    for call in (optimizer.save, optimizer.load):
        raises(ValueError, "path: expected a name without null characters, got 'a\\x00b'", partial(call, "a\0b"))
    key = optimizer._watched_keys[0]
    value = optimizer.param_groups[0].pop(key)
    message = f"param_groups[0]: expected an entry {key!r}; add groups with add_param_group"
    raises(KeyError, message, lambda: optimizer.save(tmp_path / "a"))
    optimizer.param_groups[0][key] = value
    optimizer._counters(optimizer._slots)[0][...] = -1
    counter = optimizer._counter if optimizer._counter_dtype else f"{optimizer._counter}[0]"
    message = f"{counter}: expected a whole number of steps, got -1.0"
    raises(ValueError, message, lambda: optimizer.save(tmp_path / "a"))
    raises(TypeError, "path: expected a str or os.PathLike, got int", lambda: optimizer.load(0))
    assert files(tmp_path) == {}


def test_memory(tmp_path: Path) -> None:
    """Saving copies strided arrays alone; loading holds the bytes of the file and its arrays."""
    saving, loading = map(float, program("checkpoint_memory", tmp_path).split())
    assert saving < 0.5
    assert loading < 2.05
