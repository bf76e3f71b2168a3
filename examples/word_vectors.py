"""Word vectors from Python's own help texts: skip-gram with negative sampling, as word2vec does it.

A word's vector shall tell the words within five of it from words drawn at random. A batch touches some hundred rows of
two tables, the words' vectors and those of their company; so the gradients are RowSparse, rows named twice included.

    pip install "numpy-adagrad[demo]"
    python word_vectors.py
"""

import argparse
import re
from collections import Counter
from pydoc_data.topics import topics
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy_adagrad import RowSparse, TorchAdagrad
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

AT_LEAST = 8  # times that a word must occur
OFTEN = 1e-3  # share of the text from which on a word is left out now and then
DIMENSIONS = 64
WINDOW = 5
NEGATIVES = 5
BATCH = 512
RATE = 0.1
ASKED = "class", "list", "exception", "integer", "string", "import", "dictionary", "left", "true", "bytes", "async"
DRAWN = 80
SIDES = (5, 0), (-5, 0), (0, 9), (0, -9), (5, 8), (-5, 8), (5, -8), (-5, -8), (6, 14), (-6, 14), (6, -14), (-6, -14)


class Corpus(NamedTuple):
    """A text as indices into its words, the most frequent word first, and for each the paragraph that it is in."""

    words: list[str]
    counts: np.ndarray
    text: np.ndarray
    paragraph: np.ndarray


def read_corpus() -> Corpus:
    # Many paragraphs stand in several texts: each is taken once.
    paragraphs = list(dict.fromkeys("\n".join(topics.values()).lower().split("\n\n")))
    found = [(word, i) for i, text in enumerate(paragraphs) for word in re.findall("[a-z]{2,}", text)]
    counts = {word: n for word, n in Counter(word for word, _ in found).most_common() if n >= AT_LEAST}
    index = {word: i for i, word in enumerate(counts)}
    text, paragraph = np.array([(index[word], i) for word, i in found if word in index]).T
    return Corpus(list(counts), np.array(list(counts.values())), text, paragraph)


def draw_pairs(corpus: Corpus, rng: np.random.Generator) -> np.ndarray:
    """Pair each word with those near it, in random order. Frequent words are thinned out first, as in word2vec."""
    excess = corpus.counts / corpus.counts.sum() / OFTEN
    kept = rng.random(len(corpus.text)) < (1 / np.sqrt(excess) + 1 / excess)[corpus.text]
    text, paragraph = corpus.text[kept], corpus.paragraph[kept]
    reach = rng.integers(1, WINDOW + 1, len(text))  # of each word its own, so that near ones count more
    pairs = []
    for apart in range(1, WINDOW + 1):
        left, right = np.arange(len(text) - apart), np.arange(apart, len(text))
        for word, other in ((left, right), (right, left)):
            near = (reach[word] >= apart) & (paragraph[word] == paragraph[other])
            pairs.append(np.stack([text[word[near]], text[other[near]]], axis=1))
    return rng.permutation(np.concatenate(pairs))


def loss_and_grads(
    vectors: np.ndarray, company: np.ndarray, words: np.ndarray, others: np.ndarray
) -> tuple[float, list[RowSparse]]:
    """Mean loss of a pair, and its gradients in both tables.

    Of each row of `others`, the first was found near the word and the rest were drawn.
    """
    v, c = vectors[words], company[others]
    sign = np.ones(others.shape[1], np.float32)
    sign[0] = -1
    scores = np.einsum("bd,bkd->bk", v, c) * sign
    loss = float(np.logaddexp(0, scores).sum(axis=1).mean())
    d_scores = sign / (1 + np.exp(-scores)) / len(words)
    d_v = np.einsum("bk,bkd->bd", d_scores, c)
    d_c = d_scores[:, :, None] * v[:, None, :]
    return loss, [RowSparse(words, d_v), RowSparse(others.ravel(), d_c.reshape(-1, DIMENSIONS))]


def train(corpus: Corpus, epochs: int, rng: np.random.Generator) -> np.ndarray:
    """Return the words' vectors, scaled to length 1."""
    count = len(corpus.words)
    vectors = rng.uniform(-0.5, 0.5, (count, DIMENSIONS)).astype(np.float32) / DIMENSIONS
    company = np.zeros((count, DIMENSIONS), np.float32)
    opt = TorchAdagrad([vectors, company], lr=RATE)
    chances = np.cumsum(corpus.counts**0.75)
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as progress:
        task = progress.add_task("epochs", total=epochs)
        for epoch in range(1, epochs + 1):
            losses, pairs = [], draw_pairs(corpus, rng)
            for batch in np.array_split(pairs, len(pairs) // BATCH):
                drawn = np.searchsorted(chances, rng.uniform(0, chances[-1], (len(batch), NEGATIVES)))
                loss, grads = loss_and_grads(vectors, company, batch[:, 0], np.column_stack([batch[:, 1], drawn]))
                opt.step(grads)
                losses.append(loss)
            progress.console.print(f"epoch {epoch:2}: loss {np.mean(losses):.3f}", highlight=False)
            progress.advance(task)
    scaled: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def nearest(corpus: Corpus, vectors: np.ndarray, word: str) -> list[str]:
    """The six words whose vectors lie at the smallest angles to this one's."""
    cosines = vectors @ vectors[corpus.words.index(word)]
    return [corpus.words[i] for i in np.argsort(-cosines)[1:7]]


def draw(corpus: Corpus, vectors: np.ndarray, out: str) -> None:
    """Draw the most frequent words that say something in the two directions in which they differ most."""
    said = [i for i, word in enumerate(corpus.words) if len(word) > 2 and word not in ENGLISH_STOP_WORDS][:DRAWN]
    chosen = vectors[said]
    centred = chosen - chosen.mean(axis=0)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    x, y = (centred @ directions[:2].T).T
    share = (spread[:2] ** 2).sum() / (spread**2).sum()

    figure = Figure(figsize=(12, 8.5), dpi=130, layout="constrained")
    axes = figure.subplots()
    cosines = chosen @ chosen.T - 2 * np.eye(len(said))
    for i, j in enumerate(cosines.argmax(axis=1)):
        axes.plot([x[i], x[j]], [y[i], y[j]], color="#dddddd", linewidth=1, zorder=1)
    axes.scatter(x, y, s=14, color="#1f6feb", zorder=2)
    title = f"The vectors of {len(said)} words in two dimensions, {share:.0%} of the variance"
    axes.set_title(f"{title}; a line leads to the nearest in all {DIMENSIONS}", fontsize=12)
    axes.set_axis_off()
    axes.margins(0.06)
    figure.draw_without_rendering()  # from here on, it is known where on paper a point lies
    figure.set_layout_engine("none")
    points = axes.transData.transform(np.column_stack([x, y]))
    taken = [Bbox.from_extents(*(point - 5), *(point + 5)) for point in points]
    for i, at in zip(said, zip(x, y, strict=True), strict=True):
        taken.append(write_beside(axes, at, corpus.words[i], taken))
    figure.savefig(out)


def write_beside(axes: Axes, at: tuple[float, float], word: str, taken: list[Bbox]) -> Bbox:
    """Write a word where it covers nothing that is taken, if there is such a place; return the one that it takes."""
    label = axes.annotate(word, at, (0, 0), textcoords="offset points", va="center", fontsize=9.5)
    for right, up in SIDES:
        label.set(position=(right, up), ha="center" if right == 0 else "left" if right > 0 else "right")
        box = label.get_window_extent()
        if not box.count_overlaps(taken):
            break
    return box


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--out", default="word_vectors.png", help="the picture (default: %(default)s)")
    arguments = parser.parse_args()

    corpus = read_corpus()
    print(f"{len(corpus.text):,} words, {len(corpus.words):,} different ones")
    vectors = train(corpus, arguments.epochs, np.random.default_rng(0))
    for word in ASKED:
        print(f"{word}: {', '.join(nearest(corpus, vectors, word))}")
    draw(corpus, vectors, arguments.out)
    print(f"Drawn in {arguments.out}")


if __name__ == "__main__":
    main()
