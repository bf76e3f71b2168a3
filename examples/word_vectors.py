"""Train word vectors on Python's help texts: skip-gram with negative sampling, as in word2vec.

The vector of a word learns to distinguish the words that occur within five words of it from words drawn at random. A
batch touches a few hundred rows of two tables, the word vectors and the context vectors. So the gradients are
RowSparse, and some rows occur in them more than once.

    pip install ".[demo]"
    python examples/word_vectors.py
"""

import argparse
import re
from collections import Counter
from pydoc_data.topics import topics
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox
from numpy_adagrad import RowSparse, TorchAdagrad
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

MIN_COUNT = 8  # rarer words are ignored
SUBSAMPLE_THRESHOLD = 1e-3  # words with a larger share of the text are subsampled
DIMENSIONS = 64
WINDOW = 5
NEGATIVES = 5
BATCH = 512
RATE = 0.1
QUERIES = "class", "list", "exception", "integer", "string", "import", "dictionary", "left", "true", "bytes", "async"
PLOTTED = 40
# Positions of a label relative to its point, best first; the unit is 1/72 inch.
OFFSETS = (5, 0), (-5, 0), (0, 9), (0, -9), (5, 8), (-5, 8), (5, -8), (-5, -8), (6, 14), (-6, 14), (6, -14), (-6, -14)


class Corpus(NamedTuple):
    """A text as indices into its vocabulary, most frequent word first, and the paragraph of each word in the text."""

    words: list[str]
    counts: Indices
    text: Indices
    paragraph: Indices


def read_corpus() -> Corpus:
    # Paragraphs that occur in several texts are used once.
    paragraphs = list(dict.fromkeys("\n".join(topics.values()).lower().split("\n\n")))
    found = [(word, i) for i, text in enumerate(paragraphs) for word in re.findall("[a-z]{2,}", text)]
    counts = {word: n for word, n in Counter(word for word, _ in found).most_common() if n >= MIN_COUNT}
    index = {word: i for i, word in enumerate(counts)}
    text, paragraph = np.array([(index[word], i) for word, i in found if word in index]).T
    return Corpus(list(counts), np.array(list(counts.values())), text, paragraph)


def draw_pairs(corpus: Corpus, rng: np.random.Generator) -> Indices:
    """Pair each word with the words near it, in random order. Frequent words are subsampled first, as in word2vec."""
    excess = corpus.counts / corpus.counts.sum() / SUBSAMPLE_THRESHOLD
    kept = rng.random(len(corpus.text)) < (1 / np.sqrt(excess) + 1 / excess)[corpus.text]
    text, paragraph = corpus.text[kept], corpus.paragraph[kept]
    window = rng.integers(1, WINDOW + 1, len(text))  # random for each word, so that closer words count more
    pairs = []
    for distance in range(1, WINDOW + 1):
        left, right = np.arange(len(text) - distance), np.arange(distance, len(text))
        for word, other in ((left, right), (right, left)):
            near = (window[word] >= distance) & (paragraph[word] == paragraph[other])
            pairs.append(np.stack([text[word[near]], text[other[near]]], axis=1))
    return rng.permutation(np.concatenate(pairs))


def draw_others(corpus: Corpus, nearby: Indices, rng: np.random.Generator) -> Indices:
    """Add random words to each word that occurs nearby, frequent ones more often, as in word2vec."""
    cumulative = np.cumsum(corpus.counts**0.75)
    random = np.searchsorted(cumulative, rng.uniform(0, cumulative[-1], (len(nearby), NEGATIVES)))
    return np.column_stack([nearby, random])


def loss_and_grads(v: Floats, c: Floats, words: Indices, others: Indices) -> tuple[float, list[RowSparse]]:
    """Compute the mean loss of a pair and the gradients of both tables, given their rows of the words.

    In each row of `others`, the first word occurs near the word in `words`; the others are random.
    """
    sign = np.ones(others.shape[1], np.float32)
    sign[0] = -1
    scores = np.einsum("bd,bkd->bk", v, c) * sign
    loss = float(np.logaddexp(0, scores).sum(axis=1).mean())
    d_scores = sign / (1 + np.exp(-scores)) / len(words)
    d_v, d_c = np.einsum("bk,bkd->bd", d_scores, c), d_scores[:, :, None] * v[:, None, :]
    return loss, [RowSparse(words, d_v), RowSparse(others.ravel(), d_c.reshape(-1, DIMENSIONS))]


def train(corpus: Corpus, epochs: int, rng: np.random.Generator) -> Floats:
    """Return the word vectors."""
    count = len(corpus.words)
    vectors = (rng.uniform(-0.5, 0.5, (count, DIMENSIONS)) / DIMENSIONS).astype(np.float32)
    context = np.zeros((count, DIMENSIONS), np.float32)
    opt = TorchAdagrad([vectors, context], lr=RATE)
    for epoch in range(1, epochs + 1):
        losses, pairs = [], draw_pairs(corpus, rng)
        for batch in np.array_split(pairs, len(pairs) // BATCH):
            words, others = batch[:, 0], draw_others(corpus, batch[:, 1], rng)
            loss, grads = loss_and_grads(vectors[words], context[others], words, others)
            opt.step(grads)
            losses.append(loss)
        print(f"epoch {epoch:2}: loss {np.mean(losses):.3f}")
    return vectors


def nearest(corpus: Corpus, vectors: Floats, word: str) -> list[str]:
    """Return the six words with the highest cosine similarity."""
    cosines = vectors @ vectors[corpus.words.index(word)]
    return [corpus.words[i] for i in np.argsort(-cosines)[1:7]]


def plot(corpus: Corpus, vectors: Floats, out: str) -> None:
    """Plot the most frequent words, without stop words, along their first two principal components."""
    frequent = [i for i, word in enumerate(corpus.words) if len(word) > 2 and word not in ENGLISH_STOP_WORDS]
    plotted = frequent[:PLOTTED]
    chosen = vectors[plotted]
    centred = chosen - chosen.mean(axis=0)
    *_, directions = np.linalg.svd(centred, full_matrices=False)
    x, y = (centred @ directions[:2].T).T

    figure, axes = plt.subplots(figsize=(7, 4.6), dpi=95, layout="constrained")
    cosines = chosen @ chosen.T - 2 * np.eye(len(plotted))
    for i, j in enumerate(cosines.argmax(axis=1)):
        axes.plot([x[i], x[j]], [y[i], y[j]], color="#dddddd", linewidth=1, zorder=1)
    axes.scatter(x, y, s=14, color="#1f6feb", zorder=2)
    title = f"The vectors in two dimensions; lines connect nearest neighbours in all {DIMENSIONS}"
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_axis_off()
    axes.margins(0.1, 0.06)
    figure.draw_without_rendering()  # fixes the layout, so that the position of each point is known
    figure.set_layout_engine("none")
    points = axes.transData.transform(np.column_stack([x, y]))
    taken = [Bbox.from_extents(*(point - 5), *(point + 5)) for point in points]
    for i, point in zip(plotted, zip(x, y, strict=True), strict=True):
        taken.append(plot_label(axes, point, corpus.words[i], taken))
    figure.savefig(out)


def plot_label(axes: Axes, point: tuple[float, float], word: str, taken: list[Bbox]) -> Bbox:
    """Put a label next to a point, where it covers no taken box if possible; return its own box."""
    label = axes.annotate(word, point, (0, 0), textcoords="offset points", va="center", fontsize=8)
    for right, up in OFFSETS:
        label.set(position=(right, up), ha="center" if right == 0 else "left" if right > 0 else "right")
        box = label.get_window_extent()
        if not box.count_overlaps(taken):
            break
    return box


def show(corpus: Corpus, vectors: Floats, out: str) -> None:
    """Print the words nearest to a few, and plot the most frequent ones."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for word in QUERIES:
        print(f"{word}: {', '.join(nearest(corpus, vectors, word))}")
    plot(corpus, vectors, out)
    print(f"plot saved to {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="(default: %(default)s)")
    epochs = parser.parse_args().epochs

    corpus = read_corpus()
    print(f"{len(corpus.text):,} words, {len(corpus.words):,} of them different")
    show(corpus, train(corpus, epochs, np.random.default_rng(0)), "word_vectors.png")


if __name__ == "__main__":
    main()
