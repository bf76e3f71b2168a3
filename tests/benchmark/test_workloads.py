"""The memory traffic of workloads, and the batches of sparse ones."""

import numpy as np
from helpers.benchmarks import DENSE, SPARSE
from sparse_workloads import SPARSE_WORKLOADS, draw_batches, draw_indices


def test_bytes_of_an_element() -> None:
    assert [workload.element_bytes for workload in DENSE] == [20, 40, 10, 14, 24]
    assert [workload.kind for workload in DENSE] == [workload.name for workload in DENSE]


def test_bytes_of_rows() -> None:
    updated = [len(set(batch.indices.tolist())) for batch in draw_batches(SPARSE)]
    assert SPARSE.updated_rows == sum(updated) / 3
    assert SPARSE.bytes == SPARSE.updated_rows * 64 * 20
    assert {workload.batches * workload.indices for workload in SPARSE_WORKLOADS.values()} == {2**19}


def test_batches() -> None:
    uniform, zipf = (draw_indices(SPARSE._replace(indices=10_000, zipf=zipf)) for zipf in (False, True))
    for batches in (uniform, zipf):
        assert [batch.shape for batch in batches] == [(10_000,)] * 3
        assert all(batch.dtype == np.int64 and batch.min() >= 0 and batch.max() < 300 for batch in batches)
        assert not np.array_equal(batches[0], batches[1])
    assert np.bincount(uniform[0]).max() < 80
    counts = np.sort(np.bincount(np.concatenate(zipf)))[::-1]
    # The sum of 1, 1/2, ..., 1/300 is 6.28.
    np.testing.assert_allclose(counts[:8], 30_000 / 6.28 / np.arange(1, 9), rtol=0.15)
    assert np.argmax(np.bincount(zipf[0])) != 0
