"""The instruction sets of this machine, from the kernel's list of features, which the package does not read."""

import platform
from functools import cache
from pathlib import Path

LEVELS = {
    "v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}


@cache
def supported() -> list[str]:
    """Their names, from the baseline to the best."""
    found = ["baseline"]
    if platform.machine() == "x86_64":
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
        for name, needed in LEVELS.items():
            if not needed <= set(flags.split()):
                break
            found.append(name)
    return found
