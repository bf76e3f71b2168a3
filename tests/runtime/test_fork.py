"""Forked children: they step, big arrays included, to the right bits, and none of them hangs."""

import pytest
from helpers.interpreters import output

PROLOGUE = """
import multiprocessing, os, signal, sys, threading, warnings
import numpy as np
import numpy_adagrad
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: the process that forks has threads

rng = np.random.default_rng(1)
start = [rng.standard_normal(size).astype(np.float32) for size in (7, 300_000)]
grads = [rng.standard_normal(size).astype(np.float32) for size in (7, 300_000)]

def make():
    return numpy_adagrad.TorchAdagrad([array.copy() for array in start], lr=0.3)

def moved(optimizer):
    return b"".join(param.tobytes() for param in optimizer.param_groups[0]["params"])

def after(steps):
    optimizer = make()
    for _ in range(steps):
        optimizer.step(grads)
    return moved(optimizer)

expected = [after(steps) for steps in range(4)]  # which starts the OpenMP threads too

def in_child(call):
    "Whether a child says so, within 20 seconds."
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(42 if call() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
"""

CASES = {
    "a child steps, and its parent goes on": """
optimizer = make()
optimizer.step(grads)
def step():
    optimizer.step(grads)
    return moved(optimizer) == expected[2] and numpy_adagrad.show_config()["threads"] == 1
good = all(in_child(step) for _ in range(20))
optimizer.step(grads)
print(good, moved(optimizer) == expected[2], numpy_adagrad.show_config()["threads"])
""",
    "a child makes an optimizer, and so does its own child": """
def step():
    return after(3) == expected[3]
print(all(in_child(lambda: step() and in_child(step)) for _ in range(5)), step(), 2)
""",
    "multiprocessing": """
optimizer = make()
def step(connection):
    signal.alarm(20)
    optimizer.step(grads)
    connection.send(moved(optimizer) == expected[1])
good = []
for _ in range(5):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=step, args=(theirs,))
    process.start()
    good.append(ours.poll(30) and ours.recv())
    process.join(30)
print(good == [True] * 5, process.exitcode == 0, 2)
""",
    "another thread is in the midst of a step": """
optimizer, entered, leave = make(), threading.Event(), threading.Event()
def closure():
    entered.set()
    leave.wait(60)
    return 0, grads
other = threading.Thread(target=lambda: optimizer.step(closure=closure))
other.start()
entered.wait(30)
def step():
    optimizer.step(grads)
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.step(grads)
    return moved(optimizer) == expected[2]
good = all(in_child(step) for _ in range(5))
leave.set()
other.join(60)
print(good, moved(optimizer) == expected[1], 2)
""",
    "forks while others step": """
stop, optimizers = threading.Event(), [make() for _ in range(2)]
def go_on(optimizer):
    while not stop.is_set():
        optimizer.step(grads)
others = [threading.Thread(target=go_on, args=(optimizer,)) for optimizer in optimizers]
for other in others:
    other.start()
def step():
    for optimizer in optimizers:
        optimizer.step(grads)
    return after(2) == expected[2]
good = all(in_child(step) for _ in range(20))
stop.set()
for other in others:
    other.join(60)
print(good, after(3) == expected[3], 2)
""",
    "a thread forks": """
results = []
def fork():
    optimizer = make()
    optimizer.step(grads)
    def step():
        optimizer.step(grads)
        return moved(optimizer) == expected[2]
    results.append(all(in_child(step) for _ in range(5)))
thread = threading.Thread(target=fork)
thread.start()
thread.join(100)
print(*results, True, 2)
""",
}


@pytest.mark.parametrize("case", CASES)
def test_fork(case: str) -> None:
    """What the children saw, what their parent saw, and that its own steps keep their threads."""
    assert output(PROLOGUE + CASES[case], OMP_NUM_THREADS="2") == "True True 2\n"
