"""Ranks that each update a slice have the bits of ranks that update everything, and of one process."""

import pytest
from helpers.mpi_job import PLACES, job


@pytest.mark.parametrize(("ranks", "machines"), PLACES)
def test_the_bits_are_those_of_replicated_and_of_one_process(ranks: int, machines: int) -> None:
    assert job(ranks, "mpi_sharded", machines=machines) == f"{ranks} ranks, {machines} machines: same bits\n"


@pytest.mark.parametrize("ranks", [2, 3])
def test_messages_reach_beyond_2_gib(ranks: int) -> None:
    assert job(ranks, "mpi_large") == f"{ranks} ranks: beyond 2^31 bytes\n"


@pytest.mark.parametrize("ranks", [1, 2])
def test_other_groups_raise_an_error_and_arguments_are_read_as_by_one_process(ranks: int) -> None:
    assert job(ranks, "mpi_groups") == "groups\n"
