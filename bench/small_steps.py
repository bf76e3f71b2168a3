"""Time the ways to take a small step, next to the plain one.

    python bench/small_steps.py

Each rule updates one array of 1,000 elements, for which it uses one thread, in turns: with a fixed rate and a list of
gradients, which is the plain step; with a schedule; with `max_norm`; with `grad_scale`; with a dict of gradients.
It prints the median microseconds of each, and their median ratio to the plain step within rounds.
"""

import argparse
import statistics
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np
from arguments import COUNT
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

SIZE = 1000
RULES: dict[str, tuple[Any, str]] = {
    "torch": (TorchAdagrad, "lr"),
    "mindspore": (MindSporeAdagrad, "learning_rate"),
}


def ways(optimizer: Any, rate: str) -> dict[str, Callable[[], object]]:
    def step(given: Any = 0.01, *, named: bool = False, **options: Any) -> Callable[[], object]:
        rng = np.random.default_rng(0)
        param, grad = rng.standard_normal((2, SIZE), np.float32)
        own = optimizer({"w": param} if named else [param], **{rate: given})
        grads = {"w": grad} if named else [grad]
        return lambda: own.step(grads, **options)

    return {
        "plain": step(),
        "schedule": step(lambda steps: 0.01),
        "max_norm": step(max_norm=1.0),
        "grad_scale": step(grad_scale=3.0),
        "dict": step(named=True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=COUNT, default=60)
    parser.add_argument("--steps", type=COUNT, default=2000, help="in each round (%(default)s)")
    options = parser.parse_args()
    for rule, (optimizer, rate) in RULES.items():
        steps = ways(optimizer, rate)
        times: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(options.rounds):
            for name, step in steps.items():
                times[name].append(timeit.timeit(step, number=options.steps) / options.steps * 1e6)
        for name, measured in times.items():
            ratios = [one / plain for one, plain in zip(measured, times["plain"], strict=True)]
            print(f"{rule:9} {name:10} {statistics.median(measured):6.2f} {statistics.median(ratios):5.2f}x")


if __name__ == "__main__":
    main()
