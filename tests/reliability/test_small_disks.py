"""Disks that are full, have no room for another name, or are read-only."""

from pathlib import Path

import pytest
from helpers.dialects import Dialect
from helpers.effort import times
from helpers.interpreters import program
from helpers.namespaces import mounts_allowed

pytestmark = pytest.mark.skipif(not mounts_allowed(), reason="this system forbids mounts in a private namespace")


def test_saves_on_small_disks(dialect: Dialect, tmp_path: Path) -> None:
    """Each save raises the system's error and leaves the old file, or succeeds."""
    step = times(50_000, 1_000)
    full, read_only, names = program("small_disk", dialect, tmp_path, step).splitlines()
    kind, failed, succeeded, wrong = full.split(maxsplit=3)
    assert (kind, int(failed) + int(succeeded), wrong) == ("full", 700_000 // step + 1, "[]")
    assert int(failed) > 5
    assert int(succeeded) > 2
    assert (read_only, names) == ("read-only 1 0 []", "names 3 2 []")
