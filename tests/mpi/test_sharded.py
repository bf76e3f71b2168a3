"""Ranks that each update a slice have the bits of ranks that update everything, and of one process."""

import pytest
from helpers.mpi_job import PLACES, job


@pytest.mark.parametrize(("ranks", "machines"), PLACES)
def test_the_bits_are_those_of_replicated_and_of_one_process(ranks: int, machines: int) -> None:
    assert job(ranks, "mpi_sharded", machines=machines) == f"{ranks} ranks, {machines} machines: same bits\n"
