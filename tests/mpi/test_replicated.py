"""Ranks that step with the means of their gradients have the bits of one process that steps with these."""

import pytest
from helpers.mpi_job import PLACES, job


@pytest.mark.parametrize(("ranks", "machines"), PLACES)
def test_the_bits_are_those_of_one_process(ranks: int, machines: int) -> None:
    assert job(ranks, "mpi_replicated", machines=machines) == f"{ranks} ranks, {machines} machines: same bits\n"
