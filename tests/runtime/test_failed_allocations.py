"""A step that runs out of memory changes nothing, and the steps after it are right."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.dialects import Dialect
from helpers.interpreters import preloadable, program


@pytest.fixture(scope="module")
def failing_new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preloadable("failing_new", tmp_path_factory)


@pytest.mark.parametrize("options", [{}, {"max_norm": 1.0}], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_each_allocation_may_fail(failing_new: Path, dialect: Dialect, threads: int, options: dict[str, Any]) -> None:
    environment = {"LD_PRELOAD": str(failing_new), "OMP_NUM_THREADS": str(threads)}
    printed = program("failed_allocation", failing_new, dialect, json.dumps(options), **environment)
    assert printed == "True True True\n"
