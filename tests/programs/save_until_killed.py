"""For each line of input: a child saves the two states in turn until it is killed.

The line says which state comes first. The program prints the child's id and, when it has ended, ``dead``. It is forked
for each kill, which is quicker than a new interpreter.
"""

import os
import sys
from tempfile import TemporaryDirectory

import numpy as np
from numpy_adagrad import TorchAdagrad

PATH = "state.safetensors"
SIZE = 50_000


def state(which: int) -> TorchAdagrad:
    """One of two states that have no array and no option in common."""
    value = which + 1.0
    optimizer = TorchAdagrad({"w": np.full(SIZE, value, np.float32)}, lr=value)
    for _ in range(which + 1):
        optimizer.step({"w": np.full(SIZE, value, np.float32)})
    return optimizer


def main() -> None:
    states = [state(0), state(1)]
    with TemporaryDirectory() as folder:
        states[0].save(f"{folder}/a")  # imports all that saving needs
    for line in sys.stdin:
        which, child = int(line), os.fork()
        while child == 0:
            states[which % 2].save(PATH, parameters=True)
            which += 1
        print(child, flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
