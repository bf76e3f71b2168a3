"""Train one model with gradients from four sources: by hand, autograd, JAX and torch.

A step takes any arrays: those of NumPy, which autograd gives too, those of JAX, and tensors of torch. The loss is
written once, in terms that all of them know. The four runs end at the same loss but for rounding, because each library
adds in its own order.

    pip install ".[demo]" autograd "jax>=0.5" torch==2.13.0
    python examples/gradient_sources.py
"""

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy
import jax
import jax.numpy
import numpy as np
import numpy.typing as npt
import torch
from numpy_adagrad import TorchAdagrad
from sklearn.datasets import load_digits

Params = dict[str, npt.NDArray[np.float32]]

STEPS = 200

images, digits = load_digits(return_X_y=True)
x, targets = (images / 16).astype(np.float32), np.eye(10, dtype=np.float32)[digits]


def loss(library: Any, params: Any, x: Any, targets: Any) -> Any:
    """Compute the mean cross entropy of a softmax with the functions of a library."""
    scores = x @ params["W"] + params["b"]
    return library.mean(library.log(library.exp(scores).sum(1)) - (scores * targets).sum(1))


def by_hand(params: Params) -> Params:
    probabilities = np.exp(x @ params["W"] + params["b"])
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    d_scores = (probabilities - targets) / np.float32(len(x))
    return {"W": x.T @ d_scores, "b": d_scores.sum(axis=0)}


with_autograd = autograd.grad(lambda params: loss(autograd.numpy, params, x, targets))

# JAX may read a parameter in place. The step begins when the gradients are ready; JAX has read the parameters by then.
with_jax = jax.jit(jax.grad(lambda params: loss(jax.numpy, params, x, targets)))


def with_torch(params: Params) -> dict[str, Any]:
    tensors = {name: torch.from_numpy(param).requires_grad_() for name, param in params.items()}  # the same memory
    loss(torch, tensors, torch.from_numpy(x), torch.from_numpy(targets)).backward()
    return {name: tensor.grad for name, tensor in tensors.items()}


def train(gradients: Callable[[Params], Any]) -> float:
    params = {"W": np.zeros((64, 10), np.float32), "b": np.zeros(10, np.float32)}
    opt = TorchAdagrad(params, lr=0.1)
    for _ in range(STEPS):
        opt.step(gradients(params))  # a dict with the names of the parameters
    return float(loss(np, params, x, targets))


def main() -> None:
    sources = {"by hand": by_hand, "autograd": with_autograd, "JAX": with_jax, "torch": with_torch}
    for name, gradients in sources.items():
        print(f"gradients {'from' if gradients is not by_hand else ''} {name:>8}: loss {train(gradients):.6f}")


if __name__ == "__main__":
    main()
