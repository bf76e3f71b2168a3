"""What the figures depend on goes into the result file."""

import os
import shlex
from typing import Any

import pytest
from numpy_adagrad import _core
from numpy_adagrad.benchmark.candidates import CANDIDATES, versions
from numpy_adagrad.benchmark.row_candidates import ROW_CANDIDATES

SETTINGS = ("OMP_", "GOMP_", "MKL_", "NUMBA_", "XLA_", "NUMPY_ADAGRAD_")
# So that what an import leaves there is not taken for the user's.
SET = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    settings = [f"{name}={value}" for name, value in sorted(SET.items())]
    machine_info["processors"] = os.cpu_count()
    machine_info["isa"] = _core.isa
    machine_info["versions"] = versions({**CANDIDATES, **ROW_CANDIDATES})
    machine_info["command"] = shlex.join([*settings, "pytest", *config.invocation_params.args])
