"""Time the unavoidable parts of a step of numpy_adagrad.torch.Adagrad over many small tensors, next to the step.

    python bench/dropin_floor.py

Before each timing, a backward pass makes new gradients and fills the caches with its graph. Three things take turns:
``[param.grad for param in params]``, with which torch makes a Python object for each gradient; the update of the same
memory by `numpy_adagrad.TorchAdagrad`, which reads no tensor; and the drop-in's step. It prints the fastest and
the median time of each, in milliseconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from arguments import COUNT
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.torch import Adagrad


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tensors", type=COUNT, default=2000)
    parser.add_argument("--size", type=COUNT, default=256, help="elements of a tensor (%(default)s)")
    parser.add_argument("--rounds", type=COUNT, default=30)
    parser.add_argument("--threads", type=COUNT, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    params = [torch.randn(options.size, requires_grad=True) for _ in range(options.tensors)]
    factors = [torch.randn(options.size) for _ in params]
    optimizer = Adagrad(params)
    arrays = TorchAdagrad([param.detach().numpy() for param in params])

    def new_grads() -> None:
        optimizer.zero_grad()
        torch.stack([param.dot(factor) for param, factor in zip(params, factors, strict=True)]).sum().backward()

    times: dict[str, list[float]] = {"gradients": [], "update": [], "step": []}
    for _ in range(options.rounds + 3):
        new_grads()
        times["gradients"].append(timed(lambda: [param.grad for param in params]))
        new_grads()
        grads = [param.grad.numpy() for param in params if param.grad is not None]
        times["update"].append(timed(lambda grads=grads: arrays.step(grads)))  # type: ignore[misc]
        del grads
        new_grads()
        times["step"].append(timed(optimizer.step))
    for name, measured in times.items():
        print(f"{name:9} {min(measured[3:]):6.2f} {statistics.median(measured[3:]):6.2f}")


if __name__ == "__main__":
    main()
