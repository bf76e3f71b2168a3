"""Run a program of examples/ in its own process, as a reader would."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
PNG = b"\x89PNG\r\n\x1a\n"


def run(folder: Path, *command: str | Path, status: int = 0) -> str:
    """Return the output of the example in this folder. A path before its name is a program that runs it."""
    words = [EXAMPLES / word if word in names() else word for word in command]
    # One thread is enough for small arrays, and several would slow down tests that run at the same time.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    result = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == status, result.stderr
    return result.stdout


def names() -> list[str]:
    return sorted(path.name for path in EXAMPLES.glob("*.py"))
