"""Fresh interpreters, for what can be seen only in a process of its own."""

import os
import subprocess
import sys

STATUS = """
import re
def status(key):
    return int(re.search(rf"{key}:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code to its good end; what it writes is in `stdout` and `stderr`."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def output(code: str, **environment: str) -> str:
    """What code prints; it must write nothing to stderr."""
    done = run(code, **environment)
    assert done.stderr == ""
    return done.stdout
