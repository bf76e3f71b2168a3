"""Train two torch models with numpy_adagrad.torch.Adagrad and with torch.optim.Adagrad: the losses are equal.

The first model is a network for handwritten digits, compared with torch's fused optimizer. The second one recommends:
embeddings of users and films with sparse gradients, fitted to made-up ratings. torch's sparse path takes MKL's square
root, whose last bit depends on the machine; for the comparison it gets a correctly rounded one. The exit status is 1 if
any loss differs in a bit.

    pip install ".[demo]" torch==2.13.0
    python examples/torch_dropin.py
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy_adagrad.torch import Adagrad
from sklearn.datasets import load_digits

USERS, FILMS, WIDTH = 5_000, 1_000, 16


def train(model: Callable[..., Any], optimizer: Any, batches: list[Any], loss: Callable[..., Any]) -> tuple[Any, float]:
    """Return the loss of each batch and the seconds that all steps took."""
    losses, seconds = [], 0.0
    for x, y in batches:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        start = time.perf_counter()
        optimizer.step()
        seconds += time.perf_counter() - start
        losses.append(value.item())
    return losses, seconds


def train_digits(make: Callable[..., Any]) -> tuple[Any, float]:
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
    layers = [torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(256, 10))
    batches = [(x[i::14], y[i::14]) for i in range(14)] * 15
    return train(model, make(model.parameters()), batches, torch.nn.functional.cross_entropy)


def train_ratings(make: Callable[..., Any]) -> tuple[Any, float]:
    torch.manual_seed(0)
    users, films = (torch.nn.Embedding(rows, WIDTH, sparse=True) for rows in (USERS, FILMS))
    for table in (users, films):
        torch.nn.init.normal_(table.weight, std=0.3)

    def model(pairs: torch.Tensor) -> torch.Tensor:
        """Return the rating of a film by a user for each pair: the inner product of their vectors."""
        return (users(pairs[:, 0]) * films(pairs[:, 1])).sum(1)

    tastes, genres = torch.randn(USERS, 4), torch.randn(FILMS, 4)
    batches = []
    for _ in range(200):
        pairs = torch.stack([torch.randint(USERS, (4096,)), torch.randint(FILMS, (4096,))], 1)
        batches.append((pairs, (tastes[pairs[:, 0]] * genres[pairs[:, 1]]).sum(1).tanh()))
    return train(model, make([users.weight, films.weight]), batches, torch.nn.functional.mse_loss)


@contextmanager
def rounded_root() -> Iterator[None]:
    """Let torch's sparse path take a correctly rounded square root."""
    original = torch.Tensor.sqrt_
    torch.Tensor.sqrt_ = lambda tensor: tensor.copy_(torch.from_numpy(np.sqrt(tensor.numpy())))
    yield
    torch.Tensor.sqrt_ = original


def report(name: str, train_model: Callable[..., Any], rate: float, **options: Any) -> bool:
    ours, seconds = train_model(lambda params: Adagrad(params, lr=rate))
    _, torch_seconds = train_model(lambda params: torch.optim.Adagrad(params, lr=rate, **options))
    with rounded_root():
        theirs, _ = train_model(lambda params: torch.optim.Adagrad(params, lr=rate, **options))
    differing: int = sum(a != b for a, b in zip(ours, theirs, strict=True))
    print(f"{name}: loss {ours[0]:.4f} to {ours[-1]:.4f} in {len(ours)} steps, {differing} losses differ")
    print(f"  all steps took {1000 * seconds:.0f} ms, torch's {1000 * torch_seconds:.0f} ms")
    return differing > 0


if __name__ == "__main__":
    torch.sparse.check_sparse_tensor_invariants.disable()  # torch asks for a decision
    reports = [report("digits", train_digits, 0.02, fused=True), report("ratings", train_ratings, 0.2)]
    sys.exit(any(reports))
