"""Separate three clouds of points by softmax regression: the smallest training loop.

Compute the loss and its gradients with NumPy, and give the gradients to the optimizer, which updates the parameters.

    pip install .
    python examples/train.py
"""

import numpy as np
import numpy.typing as npt
from numpy_adagrad import TorchAdagrad

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def loss_and_grads(W: Floats, b: Floats, x: Floats, labels: Labels) -> tuple[float, list[Floats]]:
    """Compute the mean cross entropy and its gradients with respect to W and b."""
    scores = x @ W + b
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    correct = np.arange(len(labels)), labels
    loss = -float(np.log(probabilities[correct]).mean())
    probabilities[correct] -= 1
    d_scores = probabilities / len(labels)
    return loss, [x.T @ d_scores, d_scores.sum(axis=0)]


# Three clouds of points in the plane, one class each.
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 600)
x = (np.array([[0, 2], [-2, -1], [2, -1]])[labels] + rng.standard_normal((600, 2))).astype(np.float32)

W, b = np.zeros((2, 3), np.float32), np.zeros(3, np.float32)
opt = TorchAdagrad([W, b], lr=0.5)

print(f"loss before: {loss_and_grads(W, b, x, labels)[0]:.4f}")
for _ in range(10):
    for batch in np.array_split(rng.permutation(600), 20):
        loss, grads = loss_and_grads(W, b, x[batch], labels[batch])
        opt.step(grads)  # updates W and b in place
print(f"loss after:  {loss_and_grads(W, b, x, labels)[0]:.4f}")
