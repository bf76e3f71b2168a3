"""Softmax regression in NumPy: the loop of the README, whole."""

import numpy as np
from numpy_adagrad import TorchAdagrad


def loss_and_grads(W: np.ndarray, b: np.ndarray, x: np.ndarray, labels: np.ndarray) -> tuple[float, list[np.ndarray]]:
    """Mean cross entropy and its gradients in W and b."""
    scores = x @ W + b
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    right = np.arange(len(labels)), labels
    loss = -np.log(chances[right]).mean()
    chances[right] -= 1
    d_scores = chances / len(labels)
    return loss, [x.T @ d_scores, d_scores.sum(axis=0)]


# Three clouds of points in the plane, a class each
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 600)
x = (np.array([[0, 2], [-2, -1], [2, -1]])[labels] + rng.standard_normal((600, 2))).astype(np.float32)

W, b = np.zeros((2, 3), np.float32), np.zeros(3, np.float32)
opt = TorchAdagrad([W, b], lr=0.5)

print(f"loss before: {loss_and_grads(W, b, x, labels)[0]:.4f}")
for _ in range(10):
    for batch in np.array_split(rng.permutation(600), 20):
        loss, grads = loss_and_grads(W, b, x[batch], labels[batch])
        opt.step(grads)  # W and b have moved; nothing was copied
print(f"loss after:  {loss_and_grads(W, b, x, labels)[0]:.4f}")
