"""Mounts that only a program and its children see: they change nothing on the machine."""

import subprocess
from functools import cache

PRIVATE = ("unshare", "--user", "--map-root-user", "--mount")


@cache
def mounts_allowed() -> bool:
    """Whether this system lets anybody mount something in a private namespace."""
    try:
        return subprocess.run([*PRIVATE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
