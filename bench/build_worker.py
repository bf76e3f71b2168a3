"""One build of the package under test, driven by `compare_builds.py` through its standard input and output.

It uses the public interface only, so that it runs with any build of the package.
"""

import hashlib
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import numpy_adagrad
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad
from processes import answer

CHECKED_STEPS = 3

Step = Callable[[], object]


class Row(NamedTuple):
    """The arrays of one row and the options of its optimizer and of its steps."""

    shapes: Sequence[tuple[int, ...]]
    dtype: str = "float32"
    state_dtype: str | None = None
    scheduled: bool = False
    new_gradients: bool = False
    max_norm: float | None = None
    indices: tuple[str, ...] = ()  # of each sparse gradient


TABLE = [(100_000, 64)]
ROWS = {
    "1e3": Row([(10**3,)]),
    "1e3 scheduled": Row([(10**3,)], scheduled=True),
    "1e3 new gradients": Row([(10**3,)], new_gradients=True),
    "1e4": Row([(10**4,)]),
    "1e5": Row([(10**5,)]),
    "1e6": Row([(10**6,)]),
    "1e7": Row([(10**7,)]),
    "2000x256": Row([(256,)] * 2000),
    "2000x256 new gradients": Row([(256,)] * 2000, new_gradients=True),
    "float64 1e5": Row([(10**5,)], "float64"),
    "float16 1e5": Row([(10**5,)], "float16"),
    "bfloat16 1e5": Row([(10**5,)], "bfloat16"),
    "bfloat16/float32 1e5": Row([(10**5,)], "bfloat16", "float32"),
    "clipped 1e5": Row([(10**5,)], max_norm=1.0),
    "sparse uniform": Row(TABLE, indices=("uniform",)),
    "sparse Zipf": Row(TABLE, indices=("Zipf",)),
    "sparse Zipf, width 4": Row([(100_000, 4)], indices=("Zipf",)),
    "sparse Zipf, 2 tables": Row(TABLE * 2, indices=("Zipf", "Zipf")),
    "sparse Zipf and one index": Row(TABLE * 2, indices=("Zipf", "one index")),
    "sparse, 2 rows of 17": Row([(100_000, 17)], indices=("2 rows",)),
    "sparse, 2 rows of 768": Row([(100_000, 768)], indices=("2 rows",)),
    "sparse, 100 rows": Row(TABLE, indices=("100 rows",)),
    "sparse, 100 rows of 768": Row([(100_000, 768)], indices=("100 rows",)),
    "sparse one row": Row(TABLE, indices=("one row",)),
    "sparse one index": Row(TABLE, indices=("one index",)),
}
RULES = ("torch", "mindspore")


def dtype_of(name: str) -> np.dtype[Any]:
    if name == "bfloat16":
        import ml_dtypes

        name = ml_dtypes.bfloat16
    return np.dtype(name)


def make_step(row: Row, rule: str) -> tuple[list[Any], Step]:
    """Return the parameters and a function that takes one step."""
    rng = np.random.default_rng(1)
    dtype = dtype_of(row.dtype)
    params = [rng.standard_normal(shape, np.float32).astype(dtype) for shape in row.shapes]
    optimizer = make_optimizer(row, rule, params)
    options = {} if row.max_norm is None else {"max_norm": row.max_norm}
    gradients: list[list[Any]]
    if row.indices:
        tables = [*zip(row.indices, row.shapes, strict=True)]
        gradients = [[sparse_gradient(kind, rng, *shape) for kind, shape in tables] for _ in range(8)]
    else:
        gradients = [
            [rng.standard_normal(shape, np.float32).astype(dtype) for shape in row.shapes]
            for _ in range(8 if row.new_gradients else 1)
        ]
    steps = [partial(optimizer.step, grads, **options) for grads in gradients]
    if len(steps) == 1:
        return params, steps[0]
    turns = cycle(steps)
    return params, lambda: next(turns)()


def make_optimizer(row: Row, rule: str, params: list[Any]) -> Any:
    rate: Any = (lambda step: 0.01) if row.scheduled else 0.01
    if rule == "torch":
        return TorchAdagrad(params, lr=rate, state_dtype=row.state_dtype)
    return MindSporeAdagrad(params, learning_rate=rate, state_dtype=row.state_dtype)


def sparse_gradient(kind: str, rng: np.random.Generator, rows: int, width: int) -> RowSparse:
    count = {"one index": 1, "Zipf": 65_536, "2 rows": 65_536, "100 rows": 65_536}.get(kind, 4096)
    if kind == "Zipf":
        indices = rng.zipf(1.2, count) % rows
    else:
        among = {"2 rows": 2, "100 rows": 100, "uniform": rows}.get(kind)
        indices = np.full(count, rng.integers(rows)) if among is None else rng.integers(among, size=count)
    return RowSparse(indices, rng.standard_normal((count, width), np.float32))


class Worker:
    """The row being measured, and how to answer requests about it."""

    timer: timeit.Timer

    def describe(self) -> dict[str, Any]:
        config = numpy_adagrad.show_config()
        return {
            "version": f"{config['numpy_adagrad']} in {numpy_adagrad.__path__[0]}",
            "isa": config["instruction_set"],
            "rows": list(ROWS),
            "rules": RULES,
        }

    def prepare(self, row: str, rule: str, seconds: float) -> dict[str, Any]:
        """Take the first steps; return a digest of the parameters and a number of steps that takes `seconds`."""
        params, step = make_step(ROWS[row], rule)
        self.timer = timeit.Timer(step)
        for _ in range(CHECKED_STEPS):
            step()
        digest = hashlib.sha256(b"".join(param.tobytes() for param in params)).hexdigest()
        steps = 1
        while self.timer.timeit(steps) < seconds:
            steps *= 2
        return {"digest": digest, "steps": steps}

    def time(self, steps: int, warm_up: int) -> dict[str, Any]:
        """Return the seconds of one step. The untimed steps before them fill the caches and wake the threads."""
        self.timer.timeit(warm_up)
        return {"seconds": self.timer.timeit(steps) / steps}


def main() -> None:
    worker = Worker()
    answer({"describe": worker.describe, "prepare": worker.prepare, "time": worker.time})


if __name__ == "__main__":
    main()
