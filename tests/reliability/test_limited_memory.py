"""Steps, construction and load where the address space is limited, in a sweep from nothing to enough.

`save` is not among them: safetensors ends the process where Rust finds no memory for its buffer.
"""

import pytest
from helpers.dialects import Dialect
from helpers.interpreters import run, script

CALLS = ("dense", "sparse", "construction", "load")


@pytest.mark.parametrize("call", CALLS)
def test_address_space(dialect: Dialect, call: str) -> None:
    """With too little, MemoryError, with nothing changed; with enough, the right result."""
    # What is freed goes back to the system, so that the next call needs it again.
    malloc = {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "16384"}
    done = run(script("limited_memory"), str(dialect), call, OMP_NUM_THREADS="2", **malloc)
    assert done.returncode == 0, done.stderr  # Rust writes to stderr where it finds no memory
    failed, succeeded = map(int, done.stdout.split())
    assert failed >= 1
    assert succeeded >= 3
