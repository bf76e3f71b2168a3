"""The parts of tests/programs/typed_program.py, which mypy --strict checks against the types of the package."""

from pathlib import Path

import numpy_adagrad
from programs import typed_program


def test_dense_gradients() -> None:
    typed_program.train_on_dense_gradients()


def test_rows_from_a_closure() -> None:
    typed_program.train_on_rows_from_a_closure()


def test_functions() -> None:
    typed_program.call_functions()


def test_migration(tmp_path: Path) -> None:
    typed_program.migrate_from_torch_to_mindspore_and_back(tmp_path)


def test_every_public_name_is_used() -> None:
    assert set(numpy_adagrad.__all__) <= set(vars(typed_program))
