"""Another thread sends SIGINT during steps, 50 times. Prints how many interrupts arrived, whether there were steps,
and whether the parameters are those of as many undisturbed steps.

`python tests/programs/sigint.py RULE`
"""

import random
import signal
import sys
import threading
import time
from typing import Any

import numpy as np
from helpers.dialects import DIALECTS

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
dialect = DIALECTS[sys.argv[1]]
params, grads = ([np.full(20_000, value, np.float32) for value in range(1, 17)] for _ in range(2))
optimizer, undisturbed = dialect.make(params), dialect.make([param.copy() for param in params])
main, chance, interrupts = threading.get_ident(), random.Random(6), 0


def send() -> None:
    time.sleep(1e-3 + 3e-3 * chance.random())
    signal.pthread_kill(main, signal.SIGINT)


def values(one: Any) -> bytes:
    return b"".join(param.tobytes() for param in one.param_groups[0]["params"])


for _ in range(50):
    sender = threading.Thread(target=send)
    try:
        sender.start()
        while True:
            optimizer.step(grads)
    except KeyboardInterrupt:
        interrupts += 1
    sender.join(30)
(steps,) = set(dialect.steps(optimizer))
for _ in range(steps):
    undisturbed.step(grads)
print(interrupts, steps > 0, values(optimizer) == values(undisturbed))
