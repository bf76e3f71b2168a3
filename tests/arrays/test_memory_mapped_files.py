"""Arrays in memory-mapped files: a file cut short is an error before the step; copies need no file."""

import copy
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.dialects import Dialect
from helpers.errors import raises
from helpers.interpreters import program
from numpy_adagrad import functional
from numpy_adagrad.inputs.types import Array

SIZE = 4096 * 8 * 4


def test_gradients_in_a_file_cut_short(dialect: Dialect) -> None:
    """The step changes nothing, and the process goes on."""
    short = f"expected a file of {SIZE} bytes, got one cut short to {SIZE - 1}"
    assert program("cut_short_gradients", dialect).splitlines() == [
        *(
            f"{way} grads[0] ('w'){part}: {short}"
            for way, part in (
                ("memmap", ""),
                ("view", ""),
                ("frombuffer", ""),
                ("memoryview", ""),
                ("asarray", ""),
                ("offset", ""),
                ("as_strided", ""),
                ("broadcast", ""),
                ("rows", ".values"),
                ("indices", ".indices"),
                ("scipy", ".data"),
                ("csr indices", ".indices"),
                ("coo indices", ".coords[0]"),
            )
        ),
        f"parameter params[0]: {short}",
    ]


def mapped(path: Path) -> Array:
    return np.memmap(path, np.float32, "w+", shape=(4096,))


@pytest.mark.parametrize("position", range(3))
def test_functional_forms_with_a_file_cut_short(tmp_path: Path, position: int) -> None:
    arrays = [np.ones(4096, np.float32), np.ones(4096, np.float32), np.ones(4096, np.float32)]
    arrays[position] = mapped(tmp_path / "file")
    (tmp_path / "file").write_bytes(bytes(100))
    param, accum, grad = arrays
    short = "expected a file of 16384 bytes, got one cut short to 100"
    label = ("params[0]", "state_sums[0]", "grads[0]")[position]
    options: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.0, "lr_decay": 0.0, "eps": 1e-10, "maximize": False}
    steps = [np.zeros((), np.float32)]
    raises(ValueError, f"{label}: {short}", lambda: functional.adagrad([param], [grad], [accum], steps, **options))
    label = ("var", "accum", "grad")[position]
    raises(ValueError, f"{label}: {short}", lambda: functional.apply_adagrad(param, accum, 0.1, grad))


def test_a_file_that_is_cut_short_while_a_closure_runs(dialect: Dialect, tmp_path: Path) -> None:
    optimizer = dialect.make([mapped(tmp_path / "file")])

    def closure() -> tuple[int, list[Array]]:
        os.truncate(tmp_path / "file", 100)
        return 0, [np.ones(4096, np.float32)]

    message = "params[0]: expected a file of 16384 bytes, got one cut short to 100"
    raises(ValueError, message, lambda: optimizer.step(closure=closure))
    os.truncate(tmp_path / "file", 16384)
    assert optimizer.steps == 0
    optimizer.step([np.ones(4096, np.float32)])
    assert (optimizer.param_groups[0]["params"][0] < 0).all()


def test_memmaps_without_a_file(dialect: Dialect, tmp_path: Path) -> None:
    """What NumPy computes from a memmap is one too, in ordinary memory."""
    np.save(tmp_path / "w.npy", np.ones(5))
    loaded = np.load(tmp_path / "w.npy", mmap_mode="r")
    expected = np.ones(5, np.float32)
    dialect.make([expected]).step([np.ones(5, np.float32)])
    cast = loaded.astype(np.float32)
    for param in (cast, cast.copy(), np.ones_like(loaded, np.float32)):
        assert isinstance(param, np.memmap)
        dialect.make([param]).step([np.ones_like(param)])
        assert_same_bits(np.asarray(param), expected)


def test_copies_of_an_optimizer_over_memmaps(dialect: Dialect, tmp_path: Path) -> None:
    """They have their own arrays, and the file keeps its bytes."""
    param = mapped(tmp_path / "file")
    optimizer = dialect.make([param])
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        twin.step([np.ones(4096, np.float32)])
        assert (twin.param_groups[0]["params"][0] < 0).all()
        assert (param == 0).all()
