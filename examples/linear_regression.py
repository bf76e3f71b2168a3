"""Fit a linear regression to measurements in different units, with Adagrad and with gradient descent.

Ten measurements of 442 patients predict how far their diabetes has progressed. One varies by 0.5, another by 35, so the
loss is a narrow valley. Gradient descent has one learning rate for all weights, and the steepest direction limits it.
Adagrad divides each gradient by the root of the sum of its squares so far, so each weight has its own rate. A learning
rate that is a hundred times as large gives nearly the same run: its first step goes too far, but the large gradients
that follow make all later steps small. Both methods are compared with the exact solution.

    pip install ".[demo]"
    python examples/linear_regression.py
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from numpy_adagrad import TorchAdagrad
from sklearn.datasets import load_diabetes

Floats = npt.NDArray[np.float64]
Update = Callable[[Floats], None]

STEPS = 3000


def loss_and_grad(w: Floats, x: Floats, y: Floats) -> tuple[float, Floats]:
    """Compute half the mean squared error and its gradient."""
    error = x @ w - y
    return float(error @ error) / (2 * len(y)), x.T @ error / len(y)


def adagrad(w: Floats, rate: float) -> Update:
    opt = TorchAdagrad([w], lr=rate)
    return lambda grad: opt.step([grad])  # updates w in place


def gradient_descent(w: Floats, rate: float) -> Update:
    def update(grad: Floats) -> None:
        w[...] -= rate * grad

    return update


def train(method: Callable[[Floats, float], Update], rate: float, x: Floats, y: Floats) -> list[float]:
    """Return the loss before each step, which uses all data."""
    w = np.zeros(x.shape[1])
    update, losses = method(w, rate), []
    for _ in range(STEPS):
        loss, grad = loss_and_grad(w, x, y)
        losses.append(loss)
        update(grad)
    return losses


def plot(excess: dict[str, Floats]) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for color, (name, values) in zip(("#0b3d91", "#1f6feb", "#8ec5ff", "#b35900"), excess.items(), strict=True):
        axes.loglog(range(1, STEPS + 1), values, color=color, linewidth=2, label=name)
    axes.set(xlabel="step", title="Linear regression: loss above the exact solution's")
    axes.legend(frameon=False)
    figure.savefig("linear_regression.png", dpi=110)


def main() -> None:
    x, y = load_diabetes(return_X_y=True, scaled=False)  # in years, mmHg, mg/dl, ...
    x, y = x - x.mean(axis=0), y - y.mean()  # so that no intercept is needed
    smallest, largest = x.std(axis=0).min(), x.std(axis=0).max()
    print(f"{len(y)} patients, {x.shape[1]} measurements with standard deviations of {smallest:.1f} to {largest:.0f}")

    exact, *_ = np.linalg.lstsq(x, y)
    minimum, _ = loss_and_grad(exact, x, y)
    curvatures = np.linalg.eigvalsh(x.T @ x / len(y))
    best_rate = 2 / (curvatures[0] + curvatures[-1])  # the fastest; slightly above, gradient descent diverges
    runs = {f"Adagrad, rate {rate}": (adagrad, rate) for rate in (3, 30, 300)}
    runs[f"gradient descent, rate {best_rate:.2g}"] = gradient_descent, best_rate
    excess = {name: np.array(train(method, rate, x, y)) - minimum for name, (method, rate) in runs.items()}
    for name, values in excess.items():
        print(f"{name:>30}: {values[0]:.0f} above the exact solution, {values[-1]:.2f} after {STEPS} steps")
    plot(excess)
    print("plot saved to linear_regression.png")


if __name__ == "__main__":
    main()
