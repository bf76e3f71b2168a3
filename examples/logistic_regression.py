"""Logistic regression in NumPy with both rules, compared with the optimum that scikit-learn finds.

The model predicts from thirty measurements whether a breast tumour is benign. The objective is that of scikit-learn's
LogisticRegression: the mean cross entropy, plus an L2 penalty on the weights but not on the intercept. So the weights
and the intercept are two groups. The objective is convex, so both rules must converge to scikit-learn's loss. The plot
shows how fast.

    pip install ".[demo]"
    python examples/logistic_regression.py
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

Floats = npt.NDArray[np.float64]
Optimizer = TorchAdagrad | MindSporeAdagrad

EPOCHS, RATE = 2500, 1.0
C = 1.0  # scikit-learn's weight of the summed cross entropy against |w|^2 / 2
ROUNDING = 2e-15  # a smaller difference between two losses is rounding error


class Tumours(NamedTuple):
    """Measurements, one row per tumour, and labels, 1.0 for a benign one."""

    train_x: Floats
    train_y: Floats
    test_x: Floats
    test_y: Floats


class Model(NamedTuple):
    """One weight per measurement, and the intercept as an array of one element."""

    w: Floats
    b: Floats

    def scores(self, x: Floats) -> Floats:
        """Return the log odds that a tumour is benign."""
        return x @ self.w + self.b


def read_tumours() -> Tumours:
    """Hold out a quarter, and scale each measurement to mean 0 and variance 1 on the training set."""
    x, y = load_breast_cancer(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(x, y.astype(float), test_size=0.25, stratify=y, random_state=0)
    scaler = StandardScaler().fit(train_x)
    return Tumours(scaler.transform(train_x), train_y, scaler.transform(test_x), test_y)


def loss_and_grads(model: Model, x: Floats, y: Floats, weight_decay: float) -> tuple[float, list[Floats]]:
    """Compute the loss with the penalty, and the gradients of w and b without it: the optimizer adds weight decay."""
    scores = model.scores(x)
    loss = np.mean(np.logaddexp(0, scores) - y * scores) + weight_decay / 2 * (model.w @ model.w)
    probabilities = np.exp(-np.logaddexp(0, -scores))  # 1 / (1 + exp(-scores)) without overflow
    d_scores = (probabilities - y) / len(y)
    return float(loss), [x.T @ d_scores, d_scores.sum(keepdims=True)]


def train(make_optimizer: Callable[[Any], Optimizer], data: Tumours, weight_decay: float) -> tuple[Model, Floats]:
    """Return the trained model, and the loss before each epoch and after the last. An epoch is one step."""
    model = Model(np.zeros(data.train_x.shape[1]), np.zeros(1))
    opt = make_optimizer([{"params": [model.w], "weight_decay": weight_decay}, {"params": [model.b]}])
    losses = []
    for _ in range(EPOCHS):
        loss, grads = loss_and_grads(model, data.train_x, data.train_y, weight_decay)
        opt.step(grads)
        losses.append(loss)
    losses.append(loss_and_grads(model, data.train_x, data.train_y, weight_decay)[0])
    return model, np.array(losses)


def fit_with_sklearn(data: Tumours) -> Model:
    """Find the optimum to full precision by Newton's method."""
    fitted = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12).fit(data.train_x, data.train_y)
    return Model(fitted.coef_[0], fitted.intercept_)


def accuracy(model: Model, data: Tumours) -> float:
    """Return the fraction of held-out tumours that are classified correctly."""
    return float(np.mean((model.scores(data.test_x) > 0) == data.test_y))


def plot(excess_losses: dict[str, Floats]) -> None:
    """Plot how far the loss is above the optimum. A line ends where the difference is only rounding error."""
    colors = {"torch": "#ee4c2c", "MindSpore": "#1f6feb"}
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.axhspan(1e-16, ROUNDING, color="#eef2f6", linewidth=0)
    for rule, excess in excess_losses.items():
        axes.plot(np.where(excess > ROUNDING, excess, np.nan), color=colors[rule], linewidth=2, label=f"{rule} rule")
    axes.set(yscale="log", ylim=(1e-16, None), xlim=(0, EPOCHS), xlabel="epoch (one step on all data)")
    axes.text(0.01, 0.03, "rounding error of float64", transform=axes.transAxes, color="#57606a")
    axes.set_title("Logistic regression: loss above scikit-learn's optimum", loc="left")
    axes.legend(frameon=False)
    figure.savefig("logistic_regression.png", dpi=110)


def main() -> None:
    data = read_tumours()
    weight_decay = 1 / (C * len(data.train_y))  # because the loss is a mean
    optimum = fit_with_sklearn(data)
    minimum, _ = loss_and_grads(optimum, data.train_x, data.train_y, weight_decay)
    rules: dict[str, Callable[[Any], Optimizer]] = {
        "torch": partial(TorchAdagrad, lr=RATE),
        "MindSpore": partial(MindSporeAdagrad, learning_rate=RATE),
    }
    print(f"{len(data.train_y)} tumours for training, {len(data.test_y)} held out; {EPOCHS} epochs, float64")
    print(f"{'scikit-learn':>12}: loss {minimum:.12f}, accuracy {accuracy(optimum, data):.2%}")
    excess_losses = {}
    for rule, make_optimizer in rules.items():
        model, losses = train(make_optimizer, data, weight_decay)
        excess_losses[rule] = losses - minimum
        distance = np.abs(np.append(model.w - optimum.w, model.b - optimum.b)).max()
        print(
            f"{rule:>12}: loss {losses[-1]:.12f}, accuracy {accuracy(model, data):.2%}, "
            f"{excess_losses[rule][-1]:.1e} above the optimum, weights within {distance:.1e} of scikit-learn's"
        )
    plot(excess_losses)
    print("plot saved to logistic_regression.png")


if __name__ == "__main__":
    main()
