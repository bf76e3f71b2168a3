"""Imports the given modules in the given order, lets each run something, then prints a digest of some training."""

import hashlib
import sys
from importlib import import_module

import numpy as np

SIZES = (7, 100_000)


def run_something(name: str) -> None:
    """So that the threads of the module have been started."""
    if name == "torch":
        torch = import_module(name)
        torch.ones(1000, 1000) @ torch.ones(1000, 1000)
    elif name == "mindspore":
        import_module(name).Tensor([1.0])
    else:
        import_module(name)


def train() -> str:
    optimizers = import_module("numpy_adagrad.optimizers").OPTIMIZERS.values()
    rng = np.random.default_rng(1)
    start, grads = ([rng.standard_normal(size).astype(np.float32) for size in SIZES] for _ in range(2))
    digest = hashlib.sha256()
    for make in optimizers:
        params = [param.copy() for param in start]
        optimizer = make(params)
        for _ in range(3):
            optimizer.step(grads)
            for param in params:
                digest.update(param.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    for module in sys.argv[1:]:
        run_something(module)
    print(train())
