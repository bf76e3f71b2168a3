"""One implementation in its own process, driven by `bounds.py`."""

import gc
import statistics
import time
from typing import Any

import numpy as np
from bounds_dense import Start, Step, dense_steps
from bounds_sparse import sparse_steps
from processes import answer

FIRST_STEPS = 4  # untimed: each batch once
WARM_UP = 10e-3  # seconds of untimed steps


def seconds_of(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


class Pauses:
    """The work of a training loop between two steps."""

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
            self.steps = sparse_steps(implementation, library, **workload)
        else:
            self.steps = dense_steps(implementation, library, **workload)
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
        """Return the median of the steps that begin within `limit` seconds.

        The untimed ones before them fill the caches and wake the threads. It takes milliseconds until the threads of a
        process that was idle run on a processor each.
        """
        between = self.before or getattr(self.pauses, pause)
        medians = []
        for step in self.steps:
            seconds_of_steps(step, between, WARM_UP)
            medians.append(statistics.median(seconds_of_steps(step, between, limit)))
        return {"seconds": min(medians)}


def seconds_of_steps(step: Step, between: Step, limit: float) -> list[float]:
    """Return the times of the steps that begin within `limit` seconds, at least of two."""
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
