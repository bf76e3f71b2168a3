"""Fixtures of the command line."""

from functools import partial
from pathlib import Path

import pytest
from helpers.command import Call, run


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Run the command in an empty folder."""
    return partial(run, tmp_path)
