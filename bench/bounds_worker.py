"""One implementation in a process of its own, driven by `bounds.py`."""

import gc
import os
import statistics
import time
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import cycle
from typing import Any

import numpy as np
from bound_loops import DenseBound, rows_bound
from numpy_adagrad import RowSparse, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from processes import answer

Step = Callable[[], object]
LR, EPS = 0.01, 1e-10
INDICES = 65_536
FIRST_STEPS = 4  # untimed: each batch once
WARM_UP = 10e-3  # seconds of untimed steps
PARALLEL = (False,) if os.environ["OMP_NUM_THREADS"] == "1" else (True, False)
"""A bound runs on one thread too: beside a busy process, all threads may wait for one."""
BOUNDS = ("memory_bound", "divider_bound")


def numbers(rng: np.random.Generator, length: int) -> Array:
    """Return normally distributed numbers, which repeat after a while."""
    drawn: Array = np.resize(rng.standard_normal(min(length, 1_000_000), np.float32), length)
    return drawn


def dense_step(implementation: str, library: str, length: int, skipped: int = 0) -> list[Step]:
    """Return a step on arrays as NumPy allocates them, or two of a bound; the gradient begins some elements later."""
    rng = np.random.default_rng(1)
    p, g = numbers(rng, length), numbers(rng, skipped + length)[skipped:]
    if implementation in BOUNDS:
        bounds = [DenseBound(library, implementation, [p], [g], p.dtype) for _ in PARALLEL]
        for bound, parallel in zip(bounds, PARALLEL, strict=True):
            bound.tune([parallel])
        return [bound.run for bound in bounds]
    return [step_of(optimizer_of(implementation, as_params(implementation, [p])), [g])]


def as_params(implementation: str, arrays: list[Array]) -> list[Any]:
    """Return the parameters that an implementation takes."""
    if implementation == "TorchAdagrad":
        return list(arrays)
    import torch

    return [torch.from_numpy(array) for array in arrays]


def optimizer_of(implementation: str, params: list[Any]) -> Any:
    if implementation == "TorchAdagrad":
        return TorchAdagrad(params, lr=LR, eps=EPS)
    import torch

    return torch.optim.Adagrad(params, lr=LR, eps=EPS, fused=True)


def step_of(optimizer: Any, grads: list[Array]) -> Step:
    """Return the step of an optimizer."""
    if isinstance(optimizer, TorchAdagrad):
        return partial(optimizer.step, grads)
    import torch

    for param, g in zip(optimizer.param_groups[0]["params"], grads, strict=True):
        param.grad = torch.from_numpy(g)
    step: Step = optimizer.step
    return step


@lru_cache(maxsize=1)
def values_of(width: int) -> list[Array]:
    """Return the values of the batches, together more than the caches hold."""
    rng = np.random.default_rng(2)
    return [numbers(rng, INDICES * width).reshape(INDICES, width) for _ in range(4 if width <= 64 else 2)]


def draw(rows: str, number: int, rng: np.random.Generator) -> Array:
    """Draw indices below `number`."""
    by_rank = 1 / np.arange(1, number + 1) ** 1.2
    ranks = np.searchsorted(np.cumsum(by_rank / by_rank.sum()), rng.random(INDICES))
    drawn: dict[str, Callable[[], Any]] = {
        "uniform": lambda: rng.integers(0, number, INDICES),
        "Zipf, scattered": lambda: rng.permutation(number)[ranks],
        "Zipf, frequent rows first": lambda: ranks,
        "among 100 rows": lambda: rng.integers(0, 100, INDICES),
        "among 2 rows": lambda: rng.integers(0, 2, INDICES),
        "one row": lambda: np.full(INDICES, number // 2),
        "ascending, unique": lambda: np.sort(rng.choice(number, INDICES, replace=False)),
    }
    indices: Array = np.minimum(drawn[rows](), number - 1)
    return indices


def sparse_step(implementation: str, library: str, rows: str, width: int) -> list[Step]:
    rng = np.random.default_rng(1)
    table = np.ones((1_000_000 if width <= 64 else 100_000, width), np.float32)
    batches = [(draw(rows, len(table), rng), values) for values in values_of(width)]
    steps: list[Step]
    if implementation == "TorchAdagrad":
        ours = TorchAdagrad([table], lr=LR, eps=EPS)
        steps = [partial(ours.step, [RowSparse(*batch)]) for batch in batches]
    elif implementation == "torch-sparse":
        steps = torch_steps(table, batches)
    elif implementation == "NumPy":
        sums = np.zeros_like(table)
        steps = [partial(numpy_step, table, sums, *batch) for batch in batches]
    else:
        return [in_turn(rows_bound(library, table, batches, parallel)) for parallel in PARALLEL]
    return [in_turn(steps)]


def in_turn(steps: list[Callable[[], object]]) -> Step:
    turns = cycle(steps)
    return lambda: next(turns)()


def torch_steps(table: Array, batches: list[tuple[Array, Array]]) -> list[Step]:
    import torch

    torch.sparse.check_sparse_tensor_invariants.disable()
    param = torch.from_numpy(table)
    optimizer = torch.optim.Adagrad([param], lr=LR, eps=EPS)
    grads = [
        torch.sparse_coo_tensor(torch.from_numpy(indices)[None], torch.from_numpy(values), table.shape)
        for indices, values in batches
    ]

    def step(grad: Any) -> None:
        param.grad = grad
        optimizer.step()

    return [partial(step, grad) for grad in grads]


def numpy_step(table: Array, sums: Array, indices: Array, values: Array) -> None:
    total = sums[indices] + values * values
    sums[indices] = total
    table[indices] -= np.float32(LR) * values / (np.sqrt(total) + np.float32(EPS))


def seconds_of(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


class Pauses:
    """What a training loop does between two steps."""

    def __init__(self) -> None:
        self.square, self.long = np.ones((512, 512), np.float32), np.zeros(2000)

    def none(self) -> None:
        pass

    def asleep(self) -> None:
        time.sleep(3e-3)

    def one_thread(self) -> None:
        end = time.perf_counter() + 3e-3
        while time.perf_counter() < end:
            self.long += 1.0

    def matrix_products(self) -> None:
        end = time.perf_counter() + 3e-3
        while time.perf_counter() < end:
            self.square @ self.square


class Start:
    """A new optimizer of many arrays: its construction, or its first step."""

    def __init__(self, implementation: str, arrays: int, start: str) -> None:
        rng = np.random.default_rng(1)
        length = 1000 if arrays == 1 else 256
        params, self.grads = ([numbers(rng, length) for _ in range(arrays)] for _ in range(2))
        self.construct = partial(optimizer_of, implementation, as_params(implementation, params))
        self.first = start == "first step"
        self.step: Step = self.construct

    def before(self) -> None:
        if self.first:
            self.step = step_of(self.construct(), self.grads)


class Timed:
    """The steps that are timed, of which the fastest counts, and what comes before each."""

    steps: list[Step]
    before: Step | None

    def __init__(self) -> None:
        self.pauses = Pauses()

    def prepare(self, implementation: str, library: str, **workload: Any) -> dict[str, Any]:
        self.before = None
        if "start" in workload:
            start = Start(implementation, **workload)
            self.steps, self.before = [lambda: start.step()], start.before
        elif "width" in workload:
            self.steps = sparse_step(implementation, library, **workload)
        else:
            self.steps = dense_step(implementation, library, **workload)
        for step in self.steps * FIRST_STEPS:
            (self.before or self.pauses.none)()
            step()
        return {}

    def forget(self) -> dict[str, Any]:
        """Free the memory."""
        self.steps, self.before = [], None
        gc.collect()
        return {}

    def time(self, pause: str, limit: float) -> dict[str, Any]:
        """Return the median of the steps in so many seconds.

        The untimed ones before them fill the caches and wake the threads. It takes milliseconds until the threads of a
        process that was idle run on processors of their own.
        """
        between = self.before or getattr(self.pauses, pause)
        medians = []
        for step in self.steps:
            seconds_of_steps(step, between, WARM_UP)
            medians.append(statistics.median(seconds_of_steps(step, between, limit)))
        return {"seconds": min(medians)}


def seconds_of_steps(step: Step, between: Step, limit: float) -> list[float]:
    """Return the times of the steps in so many seconds, at least of two."""
    found: list[float] = []
    end = time.perf_counter() + limit
    while len(found) < 2 or time.perf_counter() < end:
        between()
        found.append(seconds_of(step))
    return found


def main() -> None:
    timed = Timed()
    answer({"prepare": timed.prepare, "time": timed.time, "forget": timed.forget})


if __name__ == "__main__":
    main()
