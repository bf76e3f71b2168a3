"""The result file that `run.py` writes and `report.py` reads: the JSON form of a `Result`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machine import described

SCHEMA = 2
"""To be raised whenever the fields below change."""


@dataclass(frozen=True)
class Measurement:
    """The times of all candidates on one workload with one number of threads.

    Attributes
    ----------
    workload : str
        A name in `DENSE_WORKLOADS` or `SPARSE_WORKLOADS`.
    threads : int
        The number of threads of every candidate that lets us set it.
    bytes : float
        The bytes that one step has to read and write.
    rows : float or None
        The number of distinct rows that one step updates; None for dense gradients.
    idle : list of bool
        For each round, whether the machine was otherwise idle.
    seconds : dict
        For each candidate the seconds of one step in each round. `memory_bound` is the independent loop of
        `bounds.cpp`.
    """

    workload: str
    threads: int
    bytes: float
    rows: float | None
    idle: list[bool]
    seconds: dict[str, list[float]]


@dataclass(frozen=True)
class Result:
    """All measurements of one run, and everything that they depend on.

    Attributes
    ----------
    date : str
        The day of the run, as YYYY-MM-DD.
    machine : dict
        Strings: `processor`, its number of `processors`, `system`, `architecture`, and the `instruction_set` in use.
    versions : dict
        The versions of Python, this package and all libraries that took part.
    command : str
        The command line, after the environment variables that affect threads or this package.
    measurements : list of Measurement
        In the order of the run.
    schema : int
        `SCHEMA`.
    """

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    command: str
    measurements: list[Measurement]
    schema: int = SCHEMA


def write(result: Result, path: Path) -> None:
    """Write a result file."""
    path.write_text(json.dumps(asdict(result)) + "\n")


def read(path: Path) -> Result:
    """Read a result file."""
    fields = read_json(path, SCHEMA)
    return Result(**{**fields, "measurements": [Measurement(**each) for each in fields["measurements"]]})


def read_json(path: Path, schema: int) -> dict[str, Any]:
    """Read the fields of a result file of any program; another schema ends this one."""
    fields: dict[str, Any] = json.loads(path.read_text())
    if fields.get("schema") != schema:
        raise SystemExit(f"{path}: expected a result file of schema {schema}, got {fields.get('schema')}")
    return fields


def measured_on(fields: dict[str, Any]) -> str:
    """Return the date, the machine and the command of a result file, in Markdown."""
    return f"Measured on {fields['date']}: {described(fields['machine'])}.\n\n    {fields['command']}"
