"""Train a table that is larger than memory: it and its accumulator are files, and a step touches 4,096 rows.

The model predicts the next letter of Python's help texts. The last 1, 2, 4 and 6 letters are each hashed to a row of
the table, and the sum of the four rows scores the 32 letters. In a table of 2 GB, two contexts rarely share a row. A
table of 2 MB is trained for comparison: its steps are faster because it fits into the caches, but it predicts worse.

    pip install .
    python examples/big_table.py
"""

import argparse
import mmap
import re
import resource
from pathlib import Path
from pydoc_data.topics import topics
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy_adagrad import RowSparse, TorchAdagrad

Floats = npt.NDArray[np.float32]
Text = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]
"""Letters as numbers, and four numbers for the contexts of each."""

LETTERS = "\n abcdefghijklmnopqrstuvwxyz.,_"  # 31 letters; every other letter counts as the 32nd
CONTEXT_LENGTHS = (1, 2, 4, 6)
BATCH = 4096 // len(CONTEXT_LENGTHS)
BIG, SMALL = 2**24, 2**14  # rows of 32 float32 each
MB = 2**20


def read_text(text: str) -> Text:
    numbers = np.array([LETTERS.find(letter) % 32 for letter in text.lower()])
    longest = max(CONTEXT_LENGTHS)
    before = np.lib.stride_tricks.sliding_window_view(numbers[:-1], longest)  # the six letters before each letter
    powers = 32 ** np.arange(longest)
    contexts = [before[:, longest - n :] @ powers[:n] + n * 32**longest for n in CONTEXT_LENGTHS]
    return numbers[longest:], np.stack(contexts, axis=1).astype(np.uint64)


def training_and_held_out(rng: np.random.Generator) -> tuple[Text, Text]:
    """Shuffle the paragraphs and hold out a tenth. Paragraphs that occur in several texts are used once."""
    paragraphs = list(dict.fromkeys("\n".join(topics.values()).split("\n\n")))
    rng.shuffle(paragraphs)
    tenth = len(paragraphs) // 10
    return read_text("\n".join(paragraphs[tenth:])), read_text("\n".join(paragraphs[:tenth]))


def loss_and_grad(table: Floats, letters: npt.NDArray[np.int64], contexts: Any) -> tuple[float, RowSparse]:
    """Compute the mean cross entropy in bits per letter, and the gradient of the table."""
    hashes = contexts * np.uint64(0x9E3779B97F4A7C15)  # 2**64 / the golden ratio, which mixes the upper bits well
    rows = (hashes >> np.uint64(65 - len(table).bit_length())).astype(np.int64)
    scores = table[rows].sum(axis=1)
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    correct = np.arange(len(letters)), letters
    loss = -float(np.log2(probabilities[correct]).mean())
    probabilities[correct] -= 1
    return loss, RowSparse(rows.ravel(), np.repeat(probabilities / len(letters), len(CONTEXT_LENGTHS), axis=0))


def zeros_in_file(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Create an array in a new file, which reads as zeros and takes disk space only where it has been written.

    If the disk is full by then, the write kills the process; `os.posix_fallocate` would reserve the space beforehand.
    """
    array = np.memmap(path, dtype, "w+", shape=shape)
    assert isinstance(array.base, mmap.mmap)
    array.base.madvise(mmap.MADV_RANDOM)  # a row needs one page; the system would also read the 31 pages around it
    return array


def held_out_loss(table: Floats, text: Text) -> float:
    batches = np.array_split(np.arange(len(text[0])), len(text[0]) // BATCH)
    return float(np.mean([loss_and_grad(table, text[0][batch], text[1][batch])[0] for batch in batches]))


def train(folder: Path, rows: int, training: Text, held_out: Text, rng: np.random.Generator) -> None:
    """Train on all letters twice. The files grow in the first pass, when most rows are new, but not in the second."""

    def allocate(param: npt.NDArray[Any], dtype: np.dtype[Any], value: complex) -> npt.NDArray[Any]:
        assert value == 0  # a new file reads as zeros
        return zeros_in_file(folder / f"sum-{rows}", param.shape, dtype)

    table = zeros_in_file(folder / f"table-{rows}", (rows, len(LETTERS) + 1), np.float32)
    opt = TorchAdagrad([table], lr=0.3, allocate=allocate)  # allocate makes the accumulator
    letters, contexts = training
    size = f"{table.nbytes // MB:,} MB"
    print(f"{size}, untrained: {held_out_loss(table, held_out):.2f} bits per letter of held-out text")
    for number in (1, 2):
        seconds = []
        for batch in np.array_split(rng.permutation(len(letters)), len(letters) // BATCH):
            _, grad = loss_and_grad(table, letters[batch], contexts[batch])
            start = perf_counter()
            opt.step([grad])
            seconds.append(perf_counter() - start)
        loss, step = held_out_loss(table, held_out), np.median(seconds) * 1e3
        print(f"{size}, pass {number}: {loss:.2f} bits per letter, {step:.2f} ms per step")
    mapped = status("RssFile") + status("RssShmem")  # RssShmem if the folder is in memory
    print(f"memory: {status('RssAnon')} MB, and {mapped:,} MB of mapped files, which the system can reclaim")


def status(key: str) -> int:
    """Return a value of /proc/self/status, in MB."""
    (kilobytes,) = re.findall(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--letters", type=int, help="number of letters to train on (default: all, about 330,000)")
    letters = parser.parse_args().letters
    if letters is not None and letters < BATCH:
        parser.error(f"argument --letters: expected at least {BATCH}, one batch, got {letters}")

    rng = np.random.default_rng(0)
    training, held_out = training_and_held_out(rng)
    training = training[0][:letters], training[1][:letters]
    limit = status("VmData") + 256
    resource.setrlimit(resource.RLIMIT_DATA, (limit * MB, limit * MB))  # mapped files do not count
    print(f"memory is limited to {limit} MB")
    with TemporaryDirectory() as name:
        train(Path(name), SMALL, training, held_out, rng)
        train(Path(name), BIG, training, held_out, rng)
        files = [file.stat() for file in Path(name).glob(f"*-{BIG}")]
        length, disk = sum(file.st_size for file in files), sum(file.st_blocks * 512 for file in files)
    print(f"both large files: {length // MB:,} MB long, {disk // MB:,} MB on disk")


if __name__ == "__main__":
    main()
