"""A small network for handwritten digits, with backpropagation written by hand, trained with any rule."""

from collections.abc import Callable, Iterator
from inspect import signature
from itertools import pairwise
from time import perf_counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ..optimizers import OPTIMIZERS
from ..optimizers._base import Optimizer

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]

LAYERS = (64, 128, 10)
BATCH = 16
RATE = 0.1


class Digits(NamedTuple):
    """Images as rows of 64 pixels, and the digits that they show."""

    train_images: Floats
    train_labels: Labels
    test_images: Floats
    test_labels: Labels


class Epoch(NamedTuple):
    """Results of one pass over the training images."""

    loss: float
    accuracy: float
    seconds: float
    step_seconds: float


def read_digits(seed: int) -> Digits:
    """Hold out a fifth of scikit-learn's 1,797 digits and centre the pixels."""
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
    """Compute the mean softmax cross entropy and its gradients with respect to W1, b1, W2, b2."""
    hidden, scores = logits(params, images)
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    correct = np.arange(len(labels)), labels
    loss = -float(np.log(probabilities[correct]).mean())

    d_scores = probabilities
    d_scores[correct] -= 1
    d_scores /= len(labels)
    d_hidden = (d_scores @ params[2].T) * (hidden > 0)
    return loss, [images.T @ d_hidden, d_hidden.sum(axis=0), hidden.T @ d_scores, d_scores.sum(axis=0)]


def make_optimizer(rule: str, params: list[Floats]) -> Optimizer:
    """Create the optimizer of a rule with the learning rate that all rules share, and its own defaults otherwise."""
    optimizer: Callable[..., Optimizer] = OPTIMIZERS[rule]
    accepted = signature(optimizer).parameters
    name = next(name for name in ("lr", "learning_rate") if name in accepted)
    return optimizer(params, **{name: RATE})


def train(rule: str, digits: Digits, epochs: int, seed: int) -> Iterator[Epoch]:
    """Train a network and yield the results of each epoch. A seed fixes the initial weights and the batches."""
    rng = np.random.default_rng(seed)
    params = initial_params(rng)
    optimizer = make_optimizer(rule, params)
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
        predicted = logits(params, digits.test_images)[1].argmax(axis=1)
        accuracy = float(np.mean(predicted == digits.test_labels))
        yield Epoch(float(np.mean(losses)), accuracy, seconds, step_seconds)
