"""Ranks that each update a slice have the bits of ranks that update everything, and of one process."""

import pytest
from helpers.mpi_job import RANKS, job


@pytest.mark.parametrize("ranks", RANKS)
def test_the_bits_are_those_of_replicated_and_of_one_process(ranks: int) -> None:
    assert job(ranks, "mpi_sharded") == f"{ranks} ranks: same bits\n"
