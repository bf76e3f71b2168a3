"""Logistic regression in NumPy, by both rules, beside the optimum that scikit-learn finds.

Thirty measurements of a breast tumour tell whether it is benign. The objective is that of scikit-learn's
LogisticRegression: mean cross entropy, and an L2 penalty on the weights but not on the intercept, which is why these
are two groups. It is convex, so both rules must come to scikit-learn's loss; the picture shows how fast.

    pip install "numpy-adagrad[demo]"
    python logistic_regression.py
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

Floats = npt.NDArray[np.float64]
Optimizer = TorchAdagrad | MindSporeAdagrad

C = 1.0  # scikit-learn's: it weighs the sum of the cross entropies against |w|^2 / 2
ROUNDING = 2e-15  # losses this close are the same: float64 rounds their sums


class Tumours(NamedTuple):
    """Measurements, a row for each tumour, and 1.0 for a benign one."""

    train_x: Floats
    train_y: Floats
    test_x: Floats
    test_y: Floats


class Model(NamedTuple):
    """What is learned: a weight for each measurement, and the intercept in an array of one element."""

    w: Floats
    b: Floats

    def scores(self, x: Floats) -> Floats:
        """Return the logarithms of the odds that a tumour is benign."""
        return x @ self.w + self.b


def read_tumours() -> Tumours:
    """Hold a quarter out, and scale each measurement to mean 0 and variance 1 of those learned from."""
    x, y = load_breast_cancer(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(x, y.astype(float), test_size=0.25, stratify=y, random_state=0)
    scaler = StandardScaler().fit(train_x)
    return Tumours(scaler.transform(train_x), train_y, scaler.transform(test_x), test_y)


def loss_and_grads(model: Model, x: Floats, y: Floats, weight_decay: float) -> tuple[float, list[Floats]]:
    """Compute the penalised loss, and the gradients in w and b without the penalty's: the optimizer adds that."""
    scores = model.scores(x)
    loss = np.mean(np.logaddexp(0, scores) - y * scores) + weight_decay / 2 * (model.w @ model.w)
    chances = np.exp(-np.logaddexp(0, -scores))  # 1 / (1 + exp(-scores)), which would overflow
    d_scores = (chances - y) / len(y)
    return float(loss), [x.T @ d_scores, d_scores.sum(keepdims=True)]


def train(
    make_optimizer: Callable[[Any], Optimizer], data: Tumours, weight_decay: float, epochs: int
) -> tuple[Model, Floats]:
    """Return what was learned, and the loss before each epoch and after the last; an epoch is one step."""
    model = Model(np.zeros(data.train_x.shape[1]), np.zeros(1))
    opt = make_optimizer([{"params": [model.w], "weight_decay": weight_decay}, {"params": [model.b]}])
    losses = []
    for _ in range(epochs):
        loss, grads = loss_and_grads(model, data.train_x, data.train_y, weight_decay)
        opt.step(grads)
        losses.append(loss)
    losses.append(loss_and_grads(model, data.train_x, data.train_y, weight_decay)[0])
    return model, np.array(losses)


def learned_by_sklearn(data: Tumours) -> Model:
    """Find the optimum by Newton's method, to the last digits."""
    fitted = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12).fit(data.train_x, data.train_y)
    return Model(fitted.coef_[0], fitted.intercept_)


def accuracy(model: Model, data: Tumours) -> float:
    """Return the share of held-out tumours that are recognised."""
    return float(np.mean((model.scores(data.test_x) > 0) == data.test_y))


def draw(courses: dict[str, Floats], rate: float, out: str) -> None:
    """Draw how far the loss lies above the optimum; a line ends where rounding hides the rest."""
    colors = {"torch": "#ee4c2c", "MindSpore": "#1f6feb"}
    figure = Figure(figsize=(9, 5), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.axhspan(1e-16, ROUNDING, color="#eef2f6", linewidth=0)
    for rule, above in courses.items():
        axes.plot(np.where(above > ROUNDING, above, np.nan), color=colors[rule], linewidth=2, label=f"{rule} rule")
    axes.set(yscale="log", ylim=(1e-16, None), xlim=(0, max(map(len, courses.values()))))
    axes.text(0.01, 0.03, "within the rounding of float64", transform=axes.transAxes, color="#57606a")
    axes.set_title(f"Logistic regression: loss above scikit-learn's optimum (rate {rate:g})", loc="left")
    axes.set_xlabel("epoch (one step on all data)")
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=2500, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1.0, help="of both rules (default: %(default)s)")
    parser.add_argument("--out", default="logistic_regression.png", help="the picture (default: %(default)s)")
    arguments = parser.parse_args()

    data = read_tumours()
    weight_decay = 1 / (C * len(data.train_y))  # as the loss is a mean
    optimum = learned_by_sklearn(data)
    least, _ = loss_and_grads(optimum, data.train_x, data.train_y, weight_decay)
    rules: dict[str, Callable[[Any], Optimizer]] = {
        "torch": partial(TorchAdagrad, lr=arguments.rate),
        "MindSpore": partial(MindSporeAdagrad, learning_rate=arguments.rate),
    }
    print(f"{len(data.train_y)} tumours to learn from, {len(data.test_y)} held out; {arguments.epochs} epochs, float64")
    print(f"{'scikit-learn':>12}: loss {least:.12f}, accuracy {accuracy(optimum, data):.2%}")
    courses = {}
    for rule, make_optimizer in rules.items():
        model, losses = train(make_optimizer, data, weight_decay, arguments.epochs)
        courses[rule] = losses - least
        apart = np.abs(np.append(model.w - optimum.w, model.b - optimum.b)).max()
        print(
            f"{rule:>12}: loss {losses[-1]:.12f}, accuracy {accuracy(model, data):.2%}, "
            f"{courses[rule][-1]:.1e} above the optimum, weights at most {apart:.1e} from scikit-learn's"
        )
    draw(courses, arguments.rate, arguments.out)
    print(f"Drawn in {arguments.out}")


if __name__ == "__main__":
    main()
