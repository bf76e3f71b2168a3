"""One small network, trained on handwritten digits by hand-written backpropagation, once with each rule."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from .. import MindSporeAdagrad, TorchAdagrad
from .plotting import COLORS, dress

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]
Optimizer = TorchAdagrad | MindSporeAdagrad

LAYERS = (64, 128, 10)
BATCH = 16
RATE = 0.1
RULES: dict[str, Callable[[list[Floats]], Optimizer]] = {
    "torch": partial(TorchAdagrad, lr=RATE),
    "MindSpore": partial(MindSporeAdagrad, learning_rate=RATE),
}


class Digits(NamedTuple):
    """Images as rows of 64 pixels, and the digits that they show."""

    train_images: Floats
    train_labels: Labels
    test_images: Floats
    test_labels: Labels


class Epoch(NamedTuple):
    """What one pass over the training images came to."""

    loss: float
    accuracy: float
    seconds: float
    step_seconds: float


def read_digits(seed: int) -> Digits:
    """Split scikit-learn's 1,797 digits, a fifth held out, and centre the pixels."""
    images, labels = load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(
        (images / 16).astype(np.float32), labels, test_size=0.2, stratify=labels, random_state=seed
    )
    mean = train_images.mean(axis=0)
    return Digits(train_images - mean, train_labels, test_images - mean, test_labels)


def initial_params(rng: np.random.Generator) -> list[Floats]:
    """Draw W1, b1, W2, b2: normal weights of variance 2 / inputs, zero biases."""
    params = []
    for inputs, outputs in pairwise(LAYERS):
        params.append(rng.standard_normal((inputs, outputs), np.float32) * np.float32(np.sqrt(2 / inputs)))
        params.append(np.zeros(outputs, np.float32))
    return params


def logits(params: list[Floats], images: Floats) -> tuple[Floats, Floats]:
    """Return the hidden layer and the scores of the ten digits."""
    W1, b1, W2, b2 = params
    hidden = np.maximum(images @ W1 + b1, 0)
    return hidden, hidden @ W2 + b2


def loss_and_grads(params: list[Floats], images: Floats, labels: Labels) -> tuple[float, list[Floats]]:
    """Compute the mean softmax cross entropy and its gradients in W1, b1, W2, b2."""
    hidden, scores = logits(params, images)
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    right = np.arange(len(labels)), labels
    loss = -float(np.log(chances[right]).mean())

    d_scores = chances
    d_scores[right] -= 1
    d_scores /= len(labels)
    d_hidden = (d_scores @ params[2].T) * (hidden > 0)
    return loss, [images.T @ d_hidden, d_hidden.sum(axis=0), hidden.T @ d_scores, d_scores.sum(axis=0)]


def train(
    optimizer: Optimizer,
    params: list[Floats],
    digits: Digits,
    epochs: int,
    rng: np.random.Generator,
) -> Iterator[Epoch]:
    """Train, and report after each epoch."""
    count = len(digits.train_labels)
    for _ in range(epochs):
        losses, step_seconds, start = [], 0.0, perf_counter()
        for batch in np.array_split(rng.permutation(count), count // BATCH):
            loss, grads = loss_and_grads(params, digits.train_images[batch], digits.train_labels[batch])
            before_step = perf_counter()
            optimizer.step(grads)
            step_seconds += perf_counter() - before_step
            losses.append(loss)
        seconds = perf_counter() - start
        found = logits(params, digits.test_images)[1].argmax(axis=1)
        accuracy = float(np.mean(found == digits.test_labels))
        yield Epoch(float(np.mean(losses)), accuracy, seconds, step_seconds)


def run(epochs: int, out: Path, seed: int) -> None:
    """Train with both rules, print how they did and draw it into the file `out`."""
    digits = read_digits(seed)
    console = Console()
    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    )
    courses: dict[str, list[Epoch]] = {}
    with Progress(*columns, console=console) as progress:
        for rule, make_optimizer in RULES.items():
            rng = np.random.default_rng(seed)  # for both rules alike: the same start, the same batches
            params = initial_params(rng)
            task = progress.add_task(rule, total=epochs, note="")
            courses[rule] = []
            for epoch in train(make_optimizer(params), params, digits, epochs, rng):
                courses[rule].append(epoch)
                progress.update(task, advance=1, note=f"loss {epoch.loss:.4f}, test {epoch.accuracy:.1%}")
    console.print(table(courses))
    draw(courses, out)
    console.print(f"Drawn in {out}", markup=False, highlight=False, soft_wrap=True)


def table(courses: dict[str, list[Epoch]]) -> Table:
    """Sum up the trainings."""
    summary = Table(title=f"Handwritten digits, network {'-'.join(map(str, LAYERS))}, float32")
    summary.add_column("rule")
    for heading in ("test accuracy", "training loss", "seconds per epoch", "in opt.step"):
        summary.add_column(heading, justify="right")
    for rule, epochs in courses.items():
        seconds = sum(epoch.seconds for epoch in epochs)
        share = sum(epoch.step_seconds for epoch in epochs) / seconds
        last = epochs[-1]
        summary.add_row(
            rule, f"{last.accuracy:.2%}", f"{last.loss:.4f}", f"{seconds / len(epochs):.4f}", f"{share:.1%}"
        )
    return summary


def draw(courses: dict[str, list[Epoch]], out: Path) -> None:
    """Draw training loss and test accuracy over the epochs."""
    # A Figure of its own, without pyplot, needs no display and leaves the user's settings alone.
    figure = Figure(figsize=(10, 4.2), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    for rule, epochs in courses.items():
        at, color = range(1, len(epochs) + 1), COLORS[rule]
        style: dict[str, Any] = {"color": color, "linewidth": 2, "marker": "o", "markersize": 3.5}
        left.plot(at, [epoch.loss for epoch in epochs], label=f"{rule} rule", **style)
        label = f"{rule} rule: {epochs[-1].accuracy:.1%} at the end"
        right.plot(at, [epoch.accuracy for epoch in epochs], label=label, **style)
        left.set_xlim(0.5, len(epochs) + 0.5)
    left.set_yscale("log")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    dress(left, "Training loss (mean cross entropy)", "epoch")
    dress(right, "Test accuracy", "epoch")
    figure.suptitle(f"Handwritten digits, one start, two Adagrads (rate {RATE})", fontsize=13)
    figure.savefig(out)
