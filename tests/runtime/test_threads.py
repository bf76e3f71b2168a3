"""Threads: how many a step takes, that it lets the others run, and that two may step at once."""

import threading
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import pytest
from helpers.contents import contents
from helpers.errors import Rule
from helpers.interpreters import output
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.optimizers._base import Optimizer

each_rule = pytest.mark.parametrize("rule", [TorchAdagrad, MindSporeAdagrad])

COUNTING = """
import hashlib, threading, time
import numpy as np
import numpy_adagrad
param = np.ones(20_000_000)
grad = np.broadcast_to(0.5, param.shape)
optimizer = numpy_adagrad.TorchAdagrad([param], weight_decay=0.1)
count, going = 0, True

def keep_counting():
    global count
    while going:
        count += 1

def rate_during(work):
    before, start = count, time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return (count - before) / seconds, seconds

counter = threading.Thread(target=keep_counting)
counter.start()
data = bytes(50_000_000)
_, data_seconds = rate_during(lambda: hashlib.sha256(data))
for _ in range(20):
    rate, seconds = rate_during(lambda: optimizer.step([grad]))
    data = bytes(int(len(data) * seconds / data_seconds))
    undisturbed, data_seconds = rate_during(lambda: hashlib.sha256(data))
    print(rate / undisturbed, seconds)
going = False
counter.join()
"""


def test_another_thread_counts_on_during_a_step() -> None:
    """At 80 % or better of its rate while the first does something that takes a processor but no GIL.

    The median of several tries counts, as other processes may want the processors.
    """
    lines = output(COUNTING, OMP_NUM_THREADS="1", NUMPY_ADAGRAD_ISA="baseline").splitlines()
    tries = [tuple(map(float, line.split())) for line in lines]
    assert median(share for share, _ in tries) >= 0.8
    assert min(seconds for _, seconds in tries) > 0.03  # many times what a thread may keep the GIL


THREADS = """
import os, numpy as np, numpy_adagrad
def threads():
    return len(os.listdir("/proc/self/task"))
before = threads()
param = np.ones(1_000_000, np.float32)
numpy_adagrad.TorchAdagrad([param]).step([param.copy()])
print(numpy_adagrad.show_config()["threads"], threads() - before)
os.environ["OMP_NUM_THREADS"] = "7"
print(numpy_adagrad.show_config()["threads"])
"""


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_the_environment_sets_the_number_of_threads(limit: int) -> None:
    """At the start of the process. A team has the thread that steps and what the others count here."""
    printed = output(THREADS, OMP_NUM_THREADS=str(limit), OPENBLAS_NUM_THREADS="1")
    assert printed == f"{limit} {limit - 1}\n{limit}\n"


def test_small_steps_stay_in_their_thread() -> None:
    printed = output(THREADS.replace("1_000_000", "1_000"), OMP_NUM_THREADS="3", OPENBLAS_NUM_THREADS="1")
    assert printed == "3 0\n3\n"


LIMITED = """
import os, threading, time
import numpy as np, numpy_adagrad
from threadpoolctl import threadpool_limits
def threads():
    return len(os.listdir("/proc/self/task"))
seen, alone = [], threads()
param = np.ones(1_000_000, np.float32)
with threadpool_limits(1, user_api="openmp"):
    grad, optimizer = param.copy(), numpy_adagrad.TorchAdagrad([param])
def tell():
    optimizer.step([grad])
    seen.append((numpy_adagrad.show_config()["threads"], threads() - alone))
with threadpool_limits(1, user_api="openmp"):
    tell()
    other = threading.Thread(target=lambda: seen.append(numpy_adagrad.show_config()["threads"]))
    other.start()
    other.join()
    while threads() > alone:  # it may still be leaving
        time.sleep(0.001)
with threadpool_limits({"libgomp": 2}):
    tell()
tell()
print(*seen)
"""


def test_threadpoolctl_limits_the_calling_thread() -> None:
    """What each step was allowed, and how many threads have been started by then."""
    printed = output(LIMITED, OMP_NUM_THREADS="3", OPENBLAS_NUM_THREADS="1")
    assert printed == "(1, 0) 3 (2, 1) (3, 2)\n"


def draw_all(seed: int, sizes: tuple[int, ...] = (7, 300_000)) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(size).astype(np.float32) for size in sizes]


def run_together(*calls: Callable[[], None]) -> None:
    """Call each in a thread of its own, all from the same moment on."""
    start, failures = threading.Barrier(len(calls)), []

    def body(call: Callable[[], None]) -> None:
        start.wait(30)
        try:
            call()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=body, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (failures, [thread for thread in threads if thread.is_alive()]) == ([], [])


def repeated(optimizer: Optimizer, grads: list[Array], times: int) -> None:
    for _ in range(times):
        optimizer.step(grads)


@each_rule
def test_two_optimizers_at_once(rule: Rule) -> None:
    pairs = [(rule(draw_all(seed)), rule(draw_all(seed)), draw_all(10 + seed)) for seed in range(4)]
    run_together(*(partial(repeated, ours, grads, 40) for ours, _, grads in pairs))
    for ours, alone, grads in pairs:
        repeated(alone, grads, 40)
        assert contents(ours) == contents(alone)


@each_rule
@pytest.mark.parametrize("sizes", [(7,), (7, 100_000)])
def test_one_optimizer_in_turn(rule: Rule, sizes: tuple[int, ...]) -> None:
    """With equal gradients it does not matter whose turn it is."""
    ours, alone, grads = rule(draw_all(1, sizes)), rule(draw_all(1, sizes)), draw_all(2, sizes)
    run_together(*(partial(repeated, ours, grads, 50) for _ in range(4)))
    repeated(alone, grads, 200)
    assert contents(ours) == contents(alone)
