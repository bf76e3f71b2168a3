"""What a user adds to a checkpoint, options of other libraries, skipped steps, damage, and missing folders."""

import json
import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.dialects import Dialect
from helpers.errors import raises
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, schedules


def test_extra_comes_back(dialect: Dialect, tmp_path: Path) -> None:
    path, rng = tmp_path / "run.safetensors", np.random.default_rng(3)
    rng.standard_normal(5)
    plateau = schedules.ReduceOnPlateau(0.5)
    plateau.step(3.0)
    extra = {"epoch": 3, "rng": rng.bit_generator.state, "rate": plateau.state_dict(), "tuple": (1, None)}
    optimizer, other = dialect.optimizer([np.ones(3)]), dialect.optimizer([np.ones(3)])
    optimizer.save(path, extra=extra)
    loaded = other.load(path)
    assert loaded == json.loads(json.dumps(extra))
    same = np.random.default_rng()
    same.bit_generator.state = loaded["rng"]
    assert same.random() == rng.random()
    optimizer.save(path)
    assert other.load(path) is None
    optimizer.save(path, extra={}, parameters=True)
    assert other.load(path, parameters=True) == {}


def nested(levels: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_extra_of_many_levels(dialect: Dialect, tmp_path: Path) -> None:
    """Some could be saved and not loaded."""
    optimizer = dialect.optimizer([np.ones(3)])
    extra = {"a": nested(99)}
    optimizer.save(tmp_path / "a", extra=extra)
    assert optimizer.load(tmp_path / "a") == extra


JSON, TOLIST = "expected a value that JSON can hold", "; convert it with .tolist()"


def test_extra_that_json_does_not_hold(dialect: Dialect, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    optimizer = dialect.optimizer([np.ones(3)])
    optimizer.save(path, extra={"epoch": 1})
    wrong: list[tuple[Any, str]] = [
        ([1], "extra: expected a dict, got list"),
        ({"a": np.ones(3)}, f"extra['a']: {JSON}, got numpy.ndarray{TOLIST}"),
        ({"done": np.True_}, f"extra['done']: {JSON}, got numpy.{np.bool_.__name__}{TOLIST}"),
        ({"a": nested(101)}, "extra: expected at most 100 levels of lists and dicts, got more"),
        ({"a": nested(10**6)}, f"extra['a']: {JSON}: maximum recursion depth exceeded"),
        ({"epoch": 1, "loss": np.float32(1)}, f"extra['loss']: {JSON}, got numpy.float32{TOLIST}"),
        ({"a": [{"b": np.float32(1)}]}, f"extra['a']: {JSON}, got numpy.float32{TOLIST}"),
        ({"a": {1, 2}}, f"extra['a']: {JSON}, got set"),
        ({1: 1, "1": 2}, "extra: expected keys of type str, got 1"),
        ({"a": [{"b": {None: 2}}]}, "extra: expected keys of type str, got None"),
        ({(1, 2): 3}, "extra: expected keys of type str, got (1, 2)"),
        ({"a": {(1, 2): 3}}, f"extra['a']: {JSON}: keys must be str"),
    ]
    for extra, message in wrong:
        with pytest.raises(TypeError) as caught:
            optimizer.save(path, extra=extra)
        assert str(caught.value).startswith(message)
        assert optimizer.load(path) == {"epoch": 1}


def test_extra_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    optimizer = MindSporeAdagrad([np.ones(3)])
    optimizer.save(path, extra={"epoch": 1})
    message = "save: expected less than 100 MB of names, options and extra, as safetensors allows, got more"
    quotes = '"' * 25_000_000  # each has four characters in the file
    raises(ValueError, message, lambda: optimizer.save(path, extra={"log": quotes}))
    assert optimizer.load(path) == {"epoch": 1}
    assert os.listdir(tmp_path) == [path.name]


def test_skipped_steps_are_kept(dialect: Dialect, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    optimizer, other = dialect.optimizer([np.ones(3)]), dialect.optimizer([np.ones(3)])
    for _ in range(2):
        optimizer.step([np.full(3, np.inf)], on_nonfinite="skip")
    optimizer.save(path)
    other.load(path)
    assert other.skipped_steps == 2


def test_damaged_files(dialect: Dialect, tmp_path: Path) -> None:
    """However they are damaged: empty, cut short anywhere, or changed in the header or in the arrays."""
    path, damaged = tmp_path / "run.safetensors", tmp_path / "damaged.safetensors"
    optimizer = dialect.optimizer({"w": np.ones(3)})
    optimizer.save(path, parameters=True)
    data = path.read_bytes()
    key = data.index(b'"content"')
    broken = [b"", data[:40], data[:100], data[:-5], data + b"x", data[:-3] + b"abc", data[:9] + b"}" + data[10:]]
    broken.append(data[:key] + b'"cintent"' + data[key + 9 :])
    for content in broken:
        damaged.write_bytes(content)
        with pytest.raises(ValueError, match=r"got a damaged (one|file)"):
            optimizer.load(damaged)
    damaged.write_bytes(b"this is no checkpoint at all, but a text of some length")
    with pytest.raises(ValueError, match="expected a safetensors file, got one that cannot be read as such: "):
        optimizer.load(damaged)


@pytest.mark.parametrize("folder", ["missing", "./missing", "missing/deeper"])
def test_missing_folders(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are named as the user names them."""
    monkeypatch.chdir(tmp_path)
    optimizer = MindSporeAdagrad([np.ones(3)])
    path = f"{folder}/run.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        optimizer.save(path)
    assert caught.value.filename == folder
    with pytest.raises(FileNotFoundError) as caught:
        optimizer.load(path)
    assert caught.value.filename == path


def test_link_into_a_missing_folder(tmp_path: Path) -> None:
    """Here the folder is that of the link's target."""
    os.symlink(tmp_path / "missing" / "run", tmp_path / "link")
    with pytest.raises(FileNotFoundError) as caught:
        MindSporeAdagrad([np.ones(3)]).save(tmp_path / "link")
    assert caught.value.filename == str(tmp_path / "missing")


def test_ckpt_files_have_no_extra(tmp_path: Path) -> None:
    message = f"{tmp_path / 'run.ckpt'}: expected a name without .ckpt, which is MindSpore's own format"
    raises(ValueError, message, lambda: MindSporeAdagrad([np.ones(3)]).save(tmp_path / "run.ckpt", extra={"epoch": 1}))


def test_options_of_other_libraries(tmp_path: Path) -> None:
    """A rate may be a number of JAX, as optax gives it; flags and the user's own entries may be arrays of bool."""
    options = {"lr": jnp.float32(0.25), "maximize": np.array(True), "mask": np.array([True, False])}
    TorchAdagrad([{"params": [np.ones(3)], **options}], eps=jnp.float32(0.5)).save(tmp_path / "a")
    other = TorchAdagrad([np.ones(3)])
    other.load(tmp_path / "a")
    loaded = other.param_groups[0]
    assert (loaded["lr"], loaded["eps"], loaded["maximize"]) == (0.25, 0.5, True)
    assert loaded["mask"].tolist() == [True, False]
    other.step([np.ones(3)])
    assert other.param_groups[0]["params"][0][0] > 1
