"""Ranks that step with the means of their gradients have the bits of one process that steps with these."""

import pytest
from helpers.mpi_job import RANKS, job


@pytest.mark.parametrize("ranks", RANKS)
def test_the_bits_are_those_of_one_process(ranks: int) -> None:
    assert job(ranks, "mpi_replicated") == f"{ranks} ranks: same bits\n"
