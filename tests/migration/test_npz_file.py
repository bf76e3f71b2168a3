"""The `.npz` file of recorded gradients: its content, and the errors for files that are no such thing."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.errors import raises
from numpy_adagrad.migration.npz_file import read_problem


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "grads.npz"


def test_gradients_and_start_are_read(path: Path) -> None:
    rng = np.random.default_rng(0)
    W, b = rng.standard_normal((4, 2, 3), np.float32), rng.standard_normal(4, np.float32)
    start = np.asfortranarray(rng.standard_normal((2, 3), np.float32))
    arrays: dict[str, Any] = {"W": W, "b": b, "start.W": start}
    np.savez_compressed(path, **arrays)
    given = read_problem(path)
    assert given.steps == 4
    assert list(given.start) == ["W", "b"]
    assert_same_bits(given.start["W"], start)
    assert_same_bits(given.start["b"], np.float32(0))
    for step, grads in enumerate(given.grads()):
        assert_same_bits(grads["W"], W[step])
        assert_same_bits(grads["b"], b[step])


ONE = np.ones((2, 3), np.float32)
CAST = "; cast it with .astype(np.float32)"


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({}, ValueError, ": expected an array of gradients for each parameter, got none"),
        ({"start.w": ONE}, ValueError, ": expected an array of gradients for each parameter, got none"),
        (
            {"w": ONE, "v": ONE[:1]},
            ValueError,
            ": expected the same number of steps in every array, got {'w': 2, 'v': 1}",
        ),
        ({"w": ONE[:0]}, ValueError, ": expected at least one step of one element, got {'w': 0}"),
        ({"w": ONE[:, :0]}, ValueError, ": expected at least one step of one element, got {'w': 2}"),
        ({"w": ONE[0, 0]}, ValueError, ", 'w': expected the step as first axis, got an array of shape ()"),
        ({"w": ONE.astype(np.float64)}, TypeError, ", 'w': expected float32, got float64" + CAST),
        ({"w": ONE.astype(">f4")}, TypeError, ", 'w': expected float32, got >f4" + CAST),
        ({"w": ONE.astype(int)}, TypeError, ", 'w': expected float32, got int64"),
        ({"w": ONE, "start.w": np.ones(3)}, TypeError, ", 'start.w': expected float32, got float64" + CAST),
        ({"w": ONE, "start.w": ONE}, ValueError, ", 'start.w': expected shape (3,), got (2, 3)"),
        ({"w": ONE, "start.v": ONE}, ValueError, ", 'start.v': expected the name of an array of gradients, got 'v'"),
        ({"w": np.array([None])}, ValueError, ", 'w': Object arrays cannot be loaded when allow_pickle=False"),
    ],
)
def test_errors_for_wrong_arrays(path: Path, arrays: dict[str, Any], error: type[Exception], message: str) -> None:
    np.savez(path, **arrays)
    raises(error, f"{path}{message}", lambda: read_problem(path))


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


ANOTHER = ": expected an .npz file, got another or a damaged one"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ANOTHER),
        (b"some text", ANOTHER),
        (b"PK\x03\x04 some text", ANOTHER),
        (npy(ONE), ": expected an .npz file, got one array without a name"),
    ],
)
def test_errors_for_other_files(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    raises(ValueError, f"{path}{message}", lambda: read_problem(path))


def test_pickles_are_never_loaded(path: Path) -> None:
    """Loading this one would create a file."""
    trace = path.with_suffix(".trace")
    path.write_bytes(b"cbuiltins\nopen\n(V" + str(trace).encode() + b"\nVw\ntR.")
    raises(ValueError, f"{path}{ANOTHER}", lambda: read_problem(path))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.txt", b"some text", "'w.txt': expected an array, got something else"),
        ("w.npy", npy(ONE)[:20], "'w': EOF: "),
        ("w.npy", npy(ONE)[:-1], "'w': "),
    ],
)
def test_errors_for_damaged_members(path: Path, name: str, content: bytes, message: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, content)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, {message}')}.*$"):
        read_problem(path)


def test_errors_for_missing_files(path: Path) -> None:
    raises(ValueError, f"{path}: No such file or directory", lambda: read_problem(path))
    raises(ValueError, f"{path.parent}: Is a directory", lambda: read_problem(path.parent))
