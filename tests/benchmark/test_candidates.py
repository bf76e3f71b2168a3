"""Which candidates take part, and how many threads they use."""

import pytest
from helpers.benchmarks import SPARSE, WITHOUT_PEERS, hide_peers
from helpers.interpreters import program
from numpy_adagrad.benchmark import candidates
from numpy_adagrad.benchmark.candidates import participants, versions
from numpy_adagrad.benchmark.dense_candidates import DENSE_CANDIDATES, EVERY_KIND
from numpy_adagrad.benchmark.dense_workloads import DENSE_WORKLOADS
from sparse_candidates import SPARSE_CANDIDATES
from sparse_workloads import SPARSE_WORKLOADS


def test_every_workload_has_participants() -> None:
    assert {workload.kind for workload in DENSE_WORKLOADS.values()} == set(EVERY_KIND)
    for workload in DENSE_WORKLOADS.values():
        assert participants(DENSE_CANDIDATES, workload.kind)[:3] == WITHOUT_PEERS[:3]
    for table in SPARSE_WORKLOADS.values():
        assert participants(SPARSE_CANDIDATES, table.kind)[:3] == WITHOUT_PEERS[:3]


def test_without_peers_the_package_and_numpy_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_peers(monkeypatch)
    assert participants(DENSE_CANDIDATES, "float32") == WITHOUT_PEERS
    assert participants(SPARSE_CANDIDATES, SPARSE.kind) == WITHOUT_PEERS
    assert list(versions([*DENSE_CANDIDATES.values(), *SPARSE_CANDIDATES.values()])) == ["numpy-adagrad", "numpy"]


@pytest.mark.parametrize("missing", ["jax", "optax"])
def test_a_peer_needs_all_its_modules(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(candidates, "find_spec", lambda name: None if name == missing else object())
    assert set(DENSE_CANDIDATES) - set(participants(DENSE_CANDIDATES, "float32")) == {"optax"}


def test_threads_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the number of threads is set, the candidates that ignore it do not take part."""
    monkeypatch.setattr(candidates, "find_spec", lambda name: object())
    everyone, obedient = (participants(DENSE_CANDIDATES, "float32", threads_set=each) for each in (False, True))
    assert everyone == list(DENSE_CANDIDATES)
    assert set(everyone) - set(obedient) == {"optax", "MindSpore"}


def test_threads_are_set_for_all_libraries() -> None:
    assert program("thread_limits", OMP_NUM_THREADS="2") == "{2}\n{1}\n{2}\n{1}\n{2}\n"
