"""Steps in other processes and threads, and in a package that is imported again.

`python tests/programs/processes.py CASE RULE TIMES`: prints the number of steps and of those with the right bits
"""

import importlib
import multiprocessing
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from helpers.dialects import DIALECTS
from helpers.values import normal

SIZES = (7, 300_000)
Steps = Iterable[bytes]


def make(rule: str) -> Any:
    return DIALECTS[rule].make([normal(size) for size in SIZES])


def step(optimizer: Any) -> bytes:
    """The parameters after a step."""
    optimizer.step([normal(size, seed=2) for size in SIZES])
    return b"".join(param.tobytes() for param in optimizer.param_groups[0]["params"])


def make_and_step(rule: str) -> bytes:
    return step(make(rule))


def new_pools(method: str, rule: str, count: int) -> Steps:
    """Processes that end after two steps: of an optimizer that was sent, which has stepped here, and of a new one."""
    context = multiprocessing.get_context(method)
    for _ in range(count):
        optimizer = make(rule)
        with ProcessPoolExecutor(1, context) as pool:
            yield pool.submit(step, optimizer).result(60)
            yield pool.submit(make_and_step, rule).result(60)
        yield step(optimizer)


def spawn(rule: str, count: int) -> Steps:
    return new_pools("spawn", rule, count)


def forkserver(rule: str, count: int) -> Steps:
    return new_pools("forkserver", rule, count)


def long_lived_pool(rule: str, count: int) -> Steps:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        yield from pool.map(step, [make(rule) for _ in range(count)])


def joblib_with(backend: str, rule: str, count: int) -> Steps:
    import joblib

    optimizers = [make(rule) for _ in range(count)]
    results: Steps = joblib.Parallel(2, backend=backend)(map(joblib.delayed(step), optimizers))
    return results


def joblib_processes(rule: str, count: int) -> Steps:
    return joblib_with("multiprocessing", rule, count)


def joblib_loky(rule: str, count: int) -> Steps:
    import joblib

    yield from joblib_with("loky", rule, count)
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def joblib_threads(rule: str, count: int) -> Steps:
    return joblib_with("threading", rule, count)


def dask_with(scheduler: str, rule: str, count: int) -> Steps:
    import dask

    with dask.config.set(scheduler=scheduler, num_workers=2):
        results: Steps = dask.compute(*(dask.delayed(step)(make(rule)) for _ in range(count)))
        return results


def dask_threads(rule: str, count: int) -> Steps:
    return dask_with("threads", rule, count)


def dask_processes(rule: str, count: int) -> Steps:
    return dask_with("processes", rule, count)


def threads_that_end(rule: str, count: int) -> Steps:
    """Each optimizer lives longer than the thread that took its first step."""
    for _ in range(count):
        optimizer = make(rule)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(step, optimizer).result(60)
        fresh = make(rule)
        yield step(fresh)
        assert step(optimizer) == step(fresh)


def imported_again(rule: str, count: int) -> Steps:
    """The package and its core are reloaded, then forgotten and imported anew, while an old optimizer goes on."""
    old, other = make(rule), make(rule)
    for _ in range(count):
        importlib.reload(importlib.import_module("numpy_adagrad"))
        importlib.reload(importlib.import_module("numpy_adagrad._core"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "numpy_adagrad"]:
            del sys.modules[name]
        again = importlib.import_module("numpy_adagrad.optimizers").OPTIMIZERS[rule]
        assert again is not DIALECTS[rule].optimizer
        yield step(again([normal(size) for size in SIZES], **DIALECTS[rule].common))
        assert step(old) == step(other)


CASES = (
    spawn, forkserver, long_lived_pool, joblib_processes, joblib_loky, joblib_threads, dask_threads, dask_processes,
    threads_that_end, imported_again,
)  # fmt: skip

if __name__ == "__main__":
    case, rule, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    expected = make_and_step(rule)  # also starts the threads of this process
    (run,) = (run for run in CASES if run.__name__ == case)
    steps = list(run(rule, count))
    print(len(steps), steps.count(expected))
