"""Ranks that step with the means of their gradients have the bits of one process that steps with these."""

import ml_dtypes
import numpy as np
import pytest
from helpers.bits import assert_same_bits
from helpers.mpi_job import PLACES, job
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.mpi.rows import divide, row_means


@pytest.mark.parametrize(("ranks", "machines"), PLACES)
def test_the_bits_are_those_of_one_process(ranks: int, machines: int) -> None:
    assert job(ranks, "mpi_replicated", machines=machines) == f"{ranks} ranks, {machines} machines: same bits\n"


@pytest.mark.parametrize(("dtype", "count"), [(ml_dtypes.bfloat16, 257), (np.float16, 2049)])
def test_a_half_type_need_not_hold_the_number_of_ranks(dtype: type, count: int) -> None:
    """bfloat16 rounds 257 to 256, and the means were too large by as much."""
    total: Array = np.array([count, 1, -3, np.inf], np.float32).astype(dtype)
    mean = np.empty_like(total)
    divide(total, count, mean)
    expected: Array = (total.astype(np.float64) / count).astype(np.float32).astype(dtype)
    assert_same_bits(mean, expected)
    assert_same_bits(row_means(np.arange(4), total, count)[1], expected)
