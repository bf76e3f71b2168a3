"""Disks that are full or broken: whatever fails while a checkpoint is written or read, there is no half of one."""

import errno
from pathlib import Path

import pytest
from helpers.dialects import Dialect
from helpers.effort import times
from helpers.interpreters import preloadable, program

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.ENOENT, errno.ESTALE, errno.EMFILE)


@pytest.fixture(scope="module")
def failing_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preloadable("failing_calls", tmp_path_factory)


def test_each_call_to_the_system_may_fail(failing_calls: Path, dialect: Dialect, tmp_path: Path) -> None:
    """The disk is full, the quota used up, the file has vanished, and so on; or a part is written."""
    errors = (0, *ERRORS[: times(2, len(ERRORS))])
    count, wrong = program(
        "failing_calls", failing_calls, dialect, tmp_path, *errors, LD_PRELOAD=str(failing_calls)
    ).split(maxsplit=1)
    assert wrong == "[]\n"
    assert int(count) > 10 * len(errors)
