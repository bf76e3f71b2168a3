"""A table whose rows are divided among ranks has the bits of one that every rank has."""

from pathlib import Path

import pytest
from helpers.mpi_job import RANKS, job


@pytest.mark.parametrize("ranks", RANKS)
def test_the_bits_are_those_of_a_table_that_every_rank_has(tmp_path: Path, ranks: int) -> None:
    assert job(ranks, "mpi_table", tmp_path) == f"{ranks} ranks: same bits\n"
