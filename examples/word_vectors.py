"""Word vectors from the English of Python's own help texts: skip-gram with negative sampling, both tables by rows.

A batch touches some hundred rows of each table; `RowSparse` names them, and nothing else is read or moved. Prints the
nearest neighbours of some words and draws the commonest words in two dimensions.

    pip install "numpy-adagrad[cli]"
    python word_vectors.py
"""

import argparse
import re
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from matplotlib.figure import Figure
from numpy_adagrad import RowSparse, TorchAdagrad
from rich.console import Console
from rich.progress import track

SIZE = 48  # of a vector
WINDOW = 5
NEGATIVES = 8  # drawn words for each true neighbour
BATCH = 512
RATE = 0.1
RARE = 5  # words that occur less often are left out
FREQUENT = 1e-3  # words of a higher share are thinned out, as word2vec does
SHOWN = ("class", "list", "exception", "integer", "string", "import", "yield", "module")
STOP = {
    "all", "also", "any", "but", "can", "following", "for", "has", "have", "may", "must", "not", "note", "one",
    "only", "other", "same", "see", "should", "such", "that", "the", "then", "there", "these", "they", "this",
    "used", "using", "when", "which", "will", "with", "from", "are", "its",
}  # fmt: skip


def read_words():
    """The words that are common enough, how often each occurs, and the texts as numbers of words."""
    texts = [re.findall(r"[a-z]{2,}", text.lower()) for text in topics.values()]
    counts = Counter(word for text in texts for word in text)
    words = [word for word, count in counts.most_common() if count >= RARE]
    number = {word: k for k, word in enumerate(words)}
    texts = [np.array([number[word] for word in text if word in number]) for text in texts]
    return words, np.array([counts[word] for word in words]), texts


def pairs(texts, counts, rng):
    """All (word, neighbour) of one pass, shuffled; frequent words are left out at random."""
    keep = np.minimum(1, np.sqrt(FREQUENT * counts.sum() / counts))
    found = []
    for text in texts:
        text = text[rng.random(len(text)) < keep[text]]
        for distance in range(1, min(WINDOW, len(text) - 1) + 1):
            found += [(text[:-distance], text[distance:]), (text[distance:], text[:-distance])]
    return rng.permutation(np.concatenate([np.stack(pair, axis=1) for pair in found]))


def loss_and_grads(inner, outer, words, neighbours):
    """Logistic loss of words (n) with neighbours (n, 1 + NEGATIVES), of which the first is the true one."""
    v, u = inner[words], outer[neighbours]
    scores = np.einsum("nd,nkd->nk", v, u)
    scores[:, 0] *= -1
    loss = np.logaddexp(0, scores).sum(axis=1).mean()
    d_scores = 1 / (1 + np.exp(-scores))
    d_scores[:, 0] *= -1
    d_v = np.einsum("nk,nkd->nd", d_scores, u)
    d_u = d_scores[:, :, np.newaxis] * v[:, np.newaxis]
    return float(loss), [RowSparse(words, d_v), RowSparse(neighbours.reshape(-1), d_u.reshape(-1, SIZE))]


def train(counts, texts, epochs, rng, console):
    inner = (rng.random((len(counts), SIZE), np.float32) - np.float32(0.5)) / SIZE
    outer = np.zeros_like(inner)
    optimizer = TorchAdagrad([inner, outer], lr=RATE)
    chances = np.cumsum(counts**0.75)
    for epoch in range(1, epochs + 1):
        taken = pairs(texts, counts, rng)
        losses = []
        batches = range(0, len(taken), BATCH)
        for begin in track(batches, f"pass {epoch}", console=console, transient=True, disable=not console.is_terminal):
            words, true = taken[begin : begin + BATCH].T
            drawn = np.searchsorted(chances, rng.random((len(words), NEGATIVES)) * chances[-1])
            loss, grads = loss_and_grads(inner, outer, words, np.column_stack([true, drawn]))
            optimizer.step(grads)
            losses.append(loss)
        print(f"pass {epoch}: {len(taken):,} pairs, loss {np.mean(losses):.3f}")
    return inner


def neighbours_of(word, words, vectors, count=6):
    """The words whose vectors point the same way."""
    likeness = vectors @ vectors[words.index(word)]
    return [words[k] for k in np.argsort(-likeness)[1 : count + 1]]


def draw(words, vectors, path, count=90):
    """The commonest words that mean something, on the two axes along which their vectors spread most."""
    chosen = [k for k, word in enumerate(words) if word not in STOP and len(word) > 2][:count]
    centred = vectors[chosen] - vectors[chosen].mean(axis=0)
    x, y = (centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T).T
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots()
    axes.scatter(x, y, s=6, color="0.7")
    for k, left, up in zip(chosen, x, y, strict=True):
        axes.annotate(words[k], (left, up), fontsize=9, ha="center", va="bottom")
    axes.set_axis_off()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("word_vectors.png"))
    arguments = parser.parse_args()
    words, counts, texts = read_words()
    print(f"{sum(map(len, texts)):,} words of running text, {len(words):,} different ones")
    vectors = train(counts, texts, arguments.epochs, np.random.default_rng(1), Console())
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for word in SHOWN:
        print(f"{word}: {', '.join(neighbours_of(word, words, vectors))}")
    draw(words, vectors, arguments.out)
    print(f"drawn: {arguments.out}")


if __name__ == "__main__":
    main()
