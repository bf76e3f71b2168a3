"""The machine and the command of a measurement, for its result file."""

import os
import platform
import shlex
import sys
from pathlib import Path

from numpy_adagrad import _core

SETTINGS = ("OMP_", "GOMP_", "MKL_", "NUMBA_", "XLA_", "NUMPY_ADAGRAD_")


def machine() -> dict[str, str]:
    return {
        "processor": processor_name(),
        "processors": str(os.cpu_count()),
        "system": platform.system(),
        "architecture": platform.machine(),
        "instruction_set": _core.isa,
    }


def processor_name() -> str:
    """Return the name of the processor in /proc/cpuinfo; ARM processors have none there."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def command_line() -> str:
    """Return the command of this run. To be called before any library has set its variables."""
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith(SETTINGS)]
    return shlex.join([*settings, "python", *sys.argv])


def described(machine: dict[str, str]) -> str:
    """Return a machine in words."""
    return (
        f"{machine['processor']}, {machine['processors']} processors, "
        f"instruction set {machine['instruction_set']}, {machine['system']} {machine['architecture']}"
    )
