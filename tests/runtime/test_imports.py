"""Importing the package: quick, silent, with no trace in the process, in any order with torch and MindSpore."""

import itertools
import json
from typing import Any

import numpy_adagrad
import pytest
from helpers.effort import times
from helpers.interpreters import program, run, script, succeed

MODULES = ("torch", "mindspore", "numpy_adagrad")


@pytest.fixture(scope="module")
def first_imports() -> list[dict[str, Any]]:
    return [json.loads(program("first_import")) for _ in range(5)]


def test_import_is_silent() -> None:
    assert succeed("-c", "import numpy_adagrad") == ""


def test_import_without_numpy() -> None:
    """It was an ImportError of the core, as was an interrupt of the import."""
    done = run("-c", "import sys; sys.modules['numpy'] = None; import numpy_adagrad")
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: import of numpy halted")


def test_import_is_quick(first_imports: list[dict[str, Any]]) -> None:
    """The best of several, as the machine may be busy."""
    assert min(results["seconds"] for results in first_imports) < 0.2


def test_import_takes_less_than_ten_megabytes(first_imports: list[dict[str, Any]]) -> None:
    assert first_imports[0]["bytes"] < 10e6


def test_import_brings_only_numpy(first_imports: list[dict[str, Any]]) -> None:
    assert first_imports[0]["optional"] == []


def test_rarely_used_modules_are_imported_on_demand(first_imports: list[dict[str, Any]]) -> None:
    assert (first_imports[0]["late"], first_imports[0]["missing_names"]) == ([], [])
    assert first_imports[0]["late_on_demand"] == [["numpy_adagrad.migration"], "numpy_adagrad.migration.translate"]


def test_import_leaves_the_floating_point_mode_alone(first_imports: list[dict[str, Any]]) -> None:
    assert first_imports[0]["keeps_subnormals"]


def test_dir_shows_the_public_names() -> None:
    assert dir(numpy_adagrad) == sorted([*numpy_adagrad.__all__, "__version__"])


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'numpy_adagrad' has no attribute 'AdamW'$"):
        numpy_adagrad.AdamW  # noqa: B018


@pytest.fixture(scope="module")
def digest_alone() -> str:
    return program("import_order", "numpy_adagrad")


@pytest.mark.parametrize("order", list(itertools.permutations(MODULES)), ids=" ".join)
def test_order_of_imports(order: tuple[str, ...], digest_alone: str) -> None:
    """MindSpore also prints messages about NumPy 2."""
    for _ in range(times(1, 100)):
        done = run(script("import_order"), *order, GLOG_v="3")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1:] == digest_alone.splitlines()


@pytest.mark.parametrize("first", ["torch", "numpy_adagrad"])
def test_threadpoolctl_is_obeyed_beside_torch(first: str) -> None:
    """Whichever libgomp the linker chose: torch brings one, and a wheel of this package another."""
    for _ in range(times(1, 100)):
        assert program("beside_torch", first, OMP_NUM_THREADS="2") == "1\n3\n"
