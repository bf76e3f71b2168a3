"""Tell from which library a paragraph of documentation comes: hashed words and sparse gradients of SciPy.

The paragraphs are those of the docstrings of NumPy, SciPy, scikit-learn and Matplotlib. Each word and each pair of
words is hashed to one of 2**20 rows of the weights, so there is no vocabulary to build or to store. The features of a
batch are a sparse array X, and so is the gradient X.T @ D: it stores the rows that the batch contains. The step updates
only these, so its time does not depend on the number of rows.

    pip install ".[demo]"
    python examples/text_classification.py
"""

import importlib
import re
from collections import Counter
from itertools import chain
from time import perf_counter
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from numpy_adagrad import TorchAdagrad
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.model_selection import train_test_split

Floats = npt.NDArray[np.float32]

LIBRARIES = {
    "NumPy": ["numpy", "numpy.linalg", "numpy.random", "numpy.ma"],
    "SciPy": ["scipy.stats", "scipy.optimize", "scipy.signal"],
    "scikit-learn": ["sklearn.linear_model", "sklearn.cluster", "sklearn.ensemble", "sklearn.metrics"],
    "Matplotlib": ["matplotlib.pyplot", "matplotlib.axes", "matplotlib.figure"],
}
NAMES = re.compile(r"\b(numpy|np|scipy|sklearn|scikit|matplotlib|mpl|plt|pyplot)\b")  # these would be too easy
EPOCHS, BATCH, RATE = 5, 64, 0.5
HASHING = HashingVectorizer(n_features=2**20, ngram_range=(1, 2), token_pattern=r"[a-z]{2,}", dtype=np.float32)


def paragraphs(modules: list[str]) -> list[str]:
    """Return the paragraphs of at least 12 words in the docstrings of what these modules contain."""
    found = set()
    for module in map(importlib.import_module, modules):
        docstrings = [getattr(module, name).__doc__ for name in dir(module) if callable(getattr(module, name))]
        found |= {" ".join(text.split()) for doc in docstrings for text in re.split(r"\n\s*\n", doc or "")}
    return sorted(NAMES.sub("", text.lower()) for text in found if len(text.split()) >= 12 and ">>>" not in text)


def grad(W: Floats, x: csr_array, labels: npt.NDArray[np.intp]) -> csr_array:
    """Compute the gradient of the mean cross entropy of a softmax, as a sparse array."""
    probabilities = np.exp(x @ W)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    probabilities[np.arange(len(labels)), labels] -= 1
    return x.T @ csr_array(probabilities / np.float32(len(labels)))


def plot(W: Floats, words: list[str]) -> None:
    # The row of a word may be that of rarer words too: 2**20 rows are not many more than there are pairs of words.
    scores = (HASHING.transform(words) @ W).T
    figure, axes = plt.subplots(1, len(LIBRARIES), figsize=(8, 3.4), layout="constrained")
    for panel, library, score in zip(axes, LIBRARIES, scores, strict=True):
        best = np.argsort(score)[-8:]
        panel.barh([words[i] for i in best], score[best], color="#1f6feb")
        panel.set_title(library)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Frequent words with the largest weights", x=0.01, ha="left")
    figure.savefig("text_classification.png", dpi=110)


def main() -> None:
    texts = {library: paragraphs(modules) for library, modules in LIBRARIES.items()}
    labels = np.repeat(np.arange(len(texts)), [len(found) for found in texts.values()])
    everything = list(chain.from_iterable(texts.values()))
    split: Any = train_test_split(everything, labels, test_size=0.2, stratify=labels, random_state=0)
    train_texts, test_texts, train_labels, test_labels = split
    train_x, test_x = csr_array(HASHING.transform(train_texts)), csr_array(HASHING.transform(test_texts))
    print(f"{len(everything):,} paragraphs: {', '.join(f'{len(found):,} of {name}' for name, found in texts.items())}")

    W = np.zeros((train_x.shape[1], len(LIBRARIES)), np.float32)
    opt, rng = TorchAdagrad([W], lr=RATE), np.random.default_rng(0)
    for epoch in range(1, EPOCHS + 1):
        stored, seconds = [], []
        for batch in np.array_split(rng.permutation(len(train_labels)), len(train_labels) // BATCH):
            gradient = grad(W, train_x[batch], train_labels[batch])
            start = perf_counter()
            opt.step([gradient])
            seconds.append(perf_counter() - start)
            stored.append(gradient.nnz)
        accuracy = np.mean((test_x @ W).argmax(axis=1) == test_labels)
        print(f"epoch {epoch}: {accuracy:.1%} of held-out paragraphs recognised")
    share, milliseconds = np.mean(stored) / W.size, np.median(seconds) * 1e3
    print(f"a step updates {np.mean(stored):,.0f} of {W.size:,} weights ({share:.2%}) in {milliseconds:.2f} ms")
    counts = Counter(word for text in train_texts for word in re.findall(r"[a-z]{2,}", text))
    plot(W, [word for word, count in counts.items() if count >= 50])
    print("plot saved to text_classification.png")


if __name__ == "__main__":
    main()
