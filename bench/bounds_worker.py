"""One implementation in a process of its own, driven by `bounds.py`."""

import statistics
import time
from collections.abc import Callable
from functools import partial
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


def dense_step(implementation: str, library: str, length: int) -> Step:
    """Return a step on arrays as NumPy allocates them."""
    rng = np.random.default_rng(1)
    p, g = (rng.standard_normal(length, np.float32) for _ in range(2))
    if implementation == "TorchAdagrad":
        return partial(TorchAdagrad([p], lr=LR, eps=EPS).step, [g])
    if implementation == "torch-fused":
        import torch

        param = torch.from_numpy(p)
        param.grad = torch.from_numpy(g)
        step: Step = torch.optim.Adagrad([param], lr=LR, eps=EPS, fused=True).step
        return step
    bound = DenseBound(library, implementation, [p], [g], p.dtype)
    bound.tune()
    return bound.run


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


def sparse_step(implementation: str, library: str, rows: str, width: int) -> Step:
    rng = np.random.default_rng(1)
    table = np.ones((1_000_000 if width <= 64 else 100_000, width), np.float32)
    batches = [(draw(rows, len(table), rng), rng.standard_normal((INDICES, width), np.float32)) for _ in range(4)]
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
        steps = rows_bound(library, table, batches)
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


class Timed:
    """The step that is timed."""

    step: Step

    def __init__(self) -> None:
        self.pauses = Pauses()

    def prepare(self, implementation: str, library: str, **workload: Any) -> dict[str, Any]:
        make = sparse_step if "width" in workload else dense_step
        self.step = make(implementation, library, **workload)
        for _ in range(3):
            self.step()
        return {"seconds": seconds_of(self.step)}

    def time(self, pause: str, steps: int) -> dict[str, Any]:
        """Return the median of so many steps; a few untimed ones before them wake threads and fill caches."""
        between = getattr(self.pauses, pause)
        for _ in range(max(1, steps // 4)):
            self.step()
        seconds = []
        for _ in range(steps):
            between()
            seconds.append(seconds_of(self.step))
        return {"seconds": statistics.median(seconds)}


def main() -> None:
    timed = Timed()
    answer({"prepare": timed.prepare, "time": timed.time})


if __name__ == "__main__":
    main()
