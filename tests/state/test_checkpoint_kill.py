"""A process that is killed while it saves: the file is always an old one or a new one, and it always loads.

What the killed process was writing stays behind in folders ``.numpy-adagrad-*``, which nothing reads.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import numpy as np
from helpers.contents import contents
from numpy_adagrad import TorchAdagrad

KILLS, SIZE = 100, 50_000
# Forked for each kill, which is quicker than a new interpreter; it begins with the state that it is told.
SAVING = """
import os, sys, numpy as np
from test_checkpoint_kill import state
states = [state(0), state(1)]
for line in sys.stdin:
    child = os.fork()
    while child == 0:
        states[int(line) % 2].save("state.safetensors", parameters=True)
        line = int(line) + 1
    print(child, flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


def state(which: int) -> TorchAdagrad:
    """One of two states, of which no array and no option is that of the other."""
    value = which + 1.0
    optimizer = TorchAdagrad({"w": np.full(SIZE, value, np.float32)}, lr=value)
    for _ in range(which + 1):
        optimizer.step({"w": np.full(SIZE, value, np.float32)})
    return optimizer


def test_killed_at_any_moment(tmp_path: Path) -> None:
    path, chance, seen = tmp_path / "state.safetensors", random.Random(1), [0, 0]
    known = [contents(state(which)) for which in (0, 1)]
    loaded = state(0)
    loaded.save(path, parameters=True)
    saving = subprocess.Popen(
        [sys.executable, "-c", SAVING],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with saving:
        assert saving.stdin
        assert saving.stdout
        for _ in range(KILLS):
            print(chance.randrange(2), file=saving.stdin, flush=True)
            child = int(saving.stdout.readline())
            sleep(0.02 * chance.random())
            os.kill(child, signal.SIGKILL)
            assert saving.stdout.readline() == "dead\n"
            loaded.load(path, parameters=True)
            seen[known.index(contents(loaded))] += 1
        saving.stdin.close()
    assert sum(seen) == KILLS
    assert min(seen) > 0
    left_over = [entry.name for entry in tmp_path.iterdir() if entry != path]
    assert all(name.startswith(".numpy-adagrad-") for name in left_over)
    assert left_over  # some were killed in the midst of it
