"""The arguments of bench/ are checked before anything is measured."""

from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from arguments import COUNT, new_file, old_file


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    assert new_file(str(path)) == path
    with pytest.raises(ArgumentTypeError, match=r"^there is no file .*result\.json$"):
        old_file(str(path))
    path.touch()
    assert old_file(str(path)) == path
    with pytest.raises(ArgumentTypeError, match=r"^there is no folder .*none$"):
        new_file(str(tmp_path / "none" / "result.json"))


def test_counts() -> None:
    assert COUNT("2") == 2
    with pytest.raises(ArgumentTypeError, match=r"^expected an integer of at least 1, got '0'$"):
        COUNT("0")
