"""Sharded runs are saved to ordinary files, which load on any number of ranks and without MPI."""

from pathlib import Path

import numpy as np
import pytest
from helpers.dialects import DIALECTS
from helpers.mpi_cases import assert_same_state, exact_case, exact_grads, run_alone
from helpers.mpi_job import RANKS, job


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that 1, 2, 3 and 4 ranks have saved after the same two steps, and 0 for no MPI."""
    folder = tmp_path_factory.mktemp("saved")
    for ranks in RANKS:
        assert job(ranks, "mpi_checkpoint", "save", folder) == "save\n"
    for rule in DIALECTS:
        run_alone(rule, 2).save(folder / f"{rule}-0.safetensors", parameters=True, extra={"epoch": 0})
    return folder


@pytest.mark.parametrize("ranks", RANKS)
def test_state_of_any_number_of_ranks_continues_on_another(saved: Path, ranks: int) -> None:
    assert job(ranks, "mpi_checkpoint", "load", saved, machines=1 + (ranks == 4)) == "load\n"


@pytest.mark.parametrize("rule", DIALECTS)
@pytest.mark.parametrize("ranks", RANKS)
def test_one_process_continues_without_mpi(saved: Path, ranks: int, rule: str) -> None:
    case = exact_case(rule)
    optimizer = case.dialect.make(case.form(case.params()), **case.options)
    path = saved / f"{rule}-{ranks}.safetensors"
    assert optimizer.load(path, parameters=True) == {"epoch": ranks}
    assert_same_state(optimizer, run_alone(rule, 2), path)
    optimizer.step(exact_grads(rule, 2))
    assert_same_state(optimizer, run_alone(rule, 3), path)


@pytest.mark.parametrize("ranks", [1, 3])
def test_all_ranks_raise_the_error_of_the_one_with_the_file(tmp_path: Path, ranks: int) -> None:
    expected = []
    for rule, dialect in DIALECTS.items():
        params = exact_case(rule).params()
        dialect.make(params).save(tmp_path / f"{rule}-state.safetensors")
        shapes = tmp_path / f"{rule}-shapes.safetensors"
        dialect.make({**params, "gamma": np.zeros(130)}).save(shapes, parameters=True)
        missing = f"[Errno 2] rank 0: No such file or directory: '{tmp_path / 'missing'}'"
        state = f"{tmp_path / rule}-state.safetensors: expected parameters, saved with parameters=True, got a file "
        expected += [
            f"FileNotFoundError: {missing}",
            f"ValueError: rank 0: {shapes}: param.gamma: expected shape (129,), got (130,)",
            f"ValueError: rank 0: {state}without them",
            f"ValueError: rank 0: {tmp_path / rule}.ckpt: expected a checkpoint of numpy-adagrad, got one of "
            "MindSpore; load it into MindSporeAdagrad in one process, and save that with parameters=True",
        ]
        if ranks > 1:
            expected.append(
                f"ValueError: path: expected the same on every rank, got {tmp_path / '0.safetensors'} on rank 0 and "
                f"{tmp_path / '1.safetensors'} on rank 1"
            )
    assert job(ranks, "mpi_checkpoint", "errors", tmp_path).splitlines() == [*expected, "errors"]
