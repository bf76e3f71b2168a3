"""The structure of the sources: a rule's name stands in the rule's own files, and imports go one way."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from helpers.sources import CPP, PACKAGE, cpp_files, imports, modules, words
from numpy_adagrad.optimizers import OPTIMIZERS

FLOORS = ("inputs", "schedules", "checkpoint", "optimizers", "mpi", "functional", "migration", "benchmark", "cli")
"""The packages from the lowest to the highest. A package imports those below it."""

# Files about several rules or frameworks: public names, tensors, the peers of the benchmark, a command's default.
SHARED = {
    "__init__.py",
    "functional/__init__.py",
    "migration/__init__.py",
    "inputs/row_sparse.py",
    "inputs/tensors.py",
    "benchmark/dense_candidates.py",
    "benchmark/dense_comparison.py",
    "benchmark/formulas.py",
    "cli/diff.py",
}


def is_of_rule(path: Path, rule: str) -> bool:
    """Whether a file is one of the rule's own: optimizers/<rule>.py, optimizers/_<rule>_state.py and so on."""
    names = (part.removesuffix(".py").lstrip("_") for part in path.relative_to(PACKAGE).parts)
    return any(name == rule or name.startswith(f"{rule}_") for name in names)


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_other_python_files_name_no_rule(rule: str) -> None:
    """Neither its class nor its name, be it an identifier or a string."""
    forbidden = {rule, OPTIMIZERS[rule].__name__.lower()}
    others = {path.relative_to(PACKAGE).as_posix(): path for path in modules().values() if not is_of_rule(path, rule)}
    assert [name for name, path in others.items() if name not in SHARED and forbidden & words(path)] == []


def test_shared_files_name_rules() -> None:
    """Otherwise the list of exceptions names a file too many."""
    classes = {optimizer.__name__.lower() for optimizer in OPTIMIZERS.values()}
    unneeded = [name for name in sorted(SHARED) if not (classes | OPTIMIZERS.keys()) & words(PACKAGE / name)]
    assert unneeded == []


def test_imports_have_no_circle() -> None:
    """Imports inside functions count, those for the type checker alone do not."""
    graph = {name: imports(name, path) - {name} for name, path in modules().items()}
    assert sum(map(len, graph.values())) > 50
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules that import each other: {' -> '.join(error.args[1])}")


def test_lower_packages_import_no_higher_ones() -> None:
    wrong = []
    for name, path in modules().items():
        package = name.partition(".")[0]
        for imported in imports(name, path):
            target = imported.partition(".")[0]
            if package in FLOORS and target in FLOORS and FLOORS.index(target) > FLOORS.index(package):
                wrong.append(f"{name} imports {imported}")
    assert wrong == []


def test_all_packages_have_a_floor() -> None:
    packages = {name.partition(".")[0] for name in modules() if "." in name}
    assert packages <= set(FLOORS)


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_other_cpp_files_name_no_rule(rule: str) -> None:
    """Not even in comments."""
    files = [path for path in CPP.rglob("*") if path.is_file() and path.parent.name != "rules"]
    assert len(files) > 20
    assert [path.relative_to(CPP).as_posix() for path in files if rule in path.read_text().lower()] == []


INCLUDES = {
    "rules": {"rules", "kernels"},
    "kernels": {"rules", "kernels"},
    "engine": {"engine", "rules", "kernels"},
    "python": {"python", "engine", "rules", "kernels"},
}
"""The folders of cpp/ whose headers each folder may include."""


@pytest.mark.parametrize("folder", INCLUDES)
def test_includes_go_one_way(folder: str) -> None:
    files = cpp_files(folder)
    assert files
    for path in files:
        for header in re.findall(r'#include "(.*)"', path.read_text()):
            assert header.partition("/")[0] in INCLUDES[folder], f"{path.relative_to(CPP)} includes {header}"
            assert (CPP / header).exists(), f"{path.relative_to(CPP)} includes {header} by another path"


@pytest.mark.parametrize("folder", ["rules", "kernels", "engine"])
def test_only_one_folder_sees_python(folder: str) -> None:
    for path in cpp_files(folder):
        wrong = re.findall(r"#include <((?:Python\.h|pybind11/|numpy/).*)>|\b(py::|PyObject)", path.read_text())
        assert wrong == [], path.relative_to(CPP)
