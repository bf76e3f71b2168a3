"""Files and folders that vanish while they are in use."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from helpers.bits import assert_same_bits
from helpers.checkpoint_files import files, gradients, stepped
from helpers.contents import contents
from helpers.dialects import Dialect


def test_mapped_files_that_are_removed(dialect: Dialect, tmp_path: Path) -> None:
    """The mapping keeps the bytes: steps, copies and checkpoints go on."""
    start = gradients()
    mapped = {name: np.memmap(tmp_path / name, a.dtype, "w+", shape=a.shape) for name, a in start.items()}
    for name, array in mapped.items():
        array[...] = start[name]
    optimizer, expected = dialect.make(dict(mapped)), dialect.make(start)
    optimizer.step(gradients(2.0))
    expected.step(gradients(2.0))
    for name in mapped:
        (tmp_path / name).unlink()
    optimizer.step(gradients(3.0), max_norm=1.0)
    expected.step(gradients(3.0), max_norm=1.0)
    optimizer.save(tmp_path / "a", parameters=True)
    for name, array in mapped.items():
        assert_same_bits(np.asarray(array), start[name])
    expected.load(tmp_path / "a", parameters=True)
    assert contents(expected) == contents(optimizer)


@pytest.mark.parametrize("moment", ["before", "while it is written", "after it is written"])
def test_a_folder_that_is_removed(moment: str, dialect: Dialect, tmp_path: Path, monkeypatch: Any) -> None:
    folder, optimizer, write = tmp_path / "runs", stepped(dialect.make), safetensors.numpy.save_file
    folder.mkdir()
    before = contents(optimizer)

    def remove_and_write(*arguments: Any) -> None:
        if moment == "while it is written":
            shutil.rmtree(folder)
        write(*arguments)
        if moment == "after it is written":
            shutil.rmtree(folder)

    monkeypatch.setattr(safetensors.numpy, "save_file", remove_and_write)
    if moment == "before":
        folder.rmdir()
    with pytest.raises(FileNotFoundError):
        optimizer.save(folder / "a")
    assert contents(optimizer) == before
    folder.mkdir()
    monkeypatch.undo()
    optimizer.save(folder / "a")
    assert list(files(folder)) == ["a"]


def test_a_checkpoint_that_is_removed_before_it_is_loaded(dialect: Dialect, tmp_path: Path) -> None:
    optimizer = stepped(dialect.make)
    before = contents(optimizer)
    optimizer.save(tmp_path / "a")
    (tmp_path / "a").unlink()
    with pytest.raises(FileNotFoundError):
        optimizer.load(tmp_path / "a")
    assert contents(optimizer) == before
