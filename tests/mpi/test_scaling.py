"""The model of the page on scaling, and the requests of its measurements."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.mpi_job import launch
from mpi_scaling import RATES, WORKER, requests
from scaling_model import Link, Work, bytes_sent, fit, messages, row_bytes_sent, seconds

WORK = Work(gradient=1e-9, update=5e-10)
LINK = Link(message=2e-4, byte=8e-9)


def test_a_fit_finds_the_link_that_times_come_from() -> None:
    points = [(name, n, p) for name in ("Replicated", "Sharded") for n in (2, 4) for p in (100, 10**6)]
    found = fit([(*point, seconds(*point, LINK, WORK)) for point in points], WORK)
    assert found.message == pytest.approx(LINK.message)
    assert found.byte == pytest.approx(LINK.byte)


def test_counts_of_messages_and_bytes() -> None:
    assert [messages(n, 100) for n in (1, 2, 4, 1024)] == [0, 3, 8, 2056]
    assert messages(2, 3 << 20) == 1 + 6  # three buckets
    assert [bytes_sent(n, 100) for n in (1, 2, 4)] == [0, 400, 600]
    assert [row_bytes_sent("ShardedTable", n, 10, 6, 2) for n in (1, 2)] == [0, 128]
    assert [row_bytes_sent("Replicated, rows", n, 10, 6, 2) for n in (1, 2, 3)] == [0, 160, 320]


@pytest.mark.parametrize("link", RATES)
def test_every_request_can_be_measured(link: str, tmp_path: Path) -> None:
    """The same requests on small arrays, without the link."""
    asked = requests(link, 2)
    sizes = {"elements": 300, "rows": 20, "batch": 5, "rounds": 1}
    small: list[dict[str, Any]] = [{key: sizes.get(key, value) for key, value in each.items()} for each in asked]
    file = tmp_path / "requests.json"
    file.write_text(json.dumps(small))
    done = launch(2, WORKER, file)
    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads(done.stdout)
    assert len(results) == len(asked)
    for request, result in zip(small, results, strict=True):
        if request["step"] == "memory":
            assert result == {"bytes": [640, 560]}  # slices of whole cache lines
        else:
            assert len(result["seconds"]) == 1
            assert result["seconds"][0] > 0
