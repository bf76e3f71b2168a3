"""Train a table that is larger than memory: it and its accumulator are files, and a step touches 4,096 rows.

The model predicts the next letter of Python's help texts. The last 1, 2, 4 and 6 letters are each hashed to a row of
the table, and the sum of the four rows scores the 32 letters. In a table of 2 GB, two contexts rarely share a row. A
table of 2 MB is trained for comparison: its steps are faster because it fits into the caches, but it predicts worse.

    pip install "numpy-adagrad[cli]"
    python big_table.py
"""

import argparse
import mmap
import os
import re
import resource
import sys
from pathlib import Path
from pydoc_data.topics import topics
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy_adagrad import RowSparse, TorchAdagrad
from rich.progress import track

Floats = npt.NDArray[np.float32]

LETTERS = "\n abcdefghijklmnopqrstuvwxyz.,_"  # 31 letters; every other letter counts as the 32nd
CONTEXT_LENGTHS = (1, 2, 4, 6)
BATCH = 4096 // len(CONTEXT_LENGTHS)
RATE = 0.3
BIG, SMALL = 2**24, 2**14  # rows of 32 float32 each
HEADROOM = 2**28  # bytes that the process may still allocate
MB = 2**20


class Text(NamedTuple):
    """The letters of a text as numbers, and for each letter its contexts, one number per context length."""

    letters: npt.NDArray[np.intp]
    contexts: npt.NDArray[np.uint64]


def read_text(text: str) -> Text:
    number = {letter: i for i, letter in enumerate(LETTERS)}
    letters = np.array([number.get(letter, len(LETTERS)) for letter in text.lower()], np.uint64)
    longest, contexts = max(CONTEXT_LENGTHS), []
    for length in CONTEXT_LENGTHS:
        context = np.full(len(letters) - longest, length, np.uint64)
        for offset in range(length, 0, -1):
            context = context * np.uint64(32) + letters[longest - offset : len(letters) - offset]
        contexts.append(context)
    return Text(letters[longest:].astype(np.intp), np.stack(contexts, axis=1))


def training_and_held_out(rng: np.random.Generator) -> tuple[Text, Text]:
    """Shuffle the paragraphs and hold out a tenth. Paragraphs that occur in several texts are used once."""
    paragraphs = list(dict.fromkeys("\n".join(topics.values()).split("\n\n")))
    rng.shuffle(paragraphs)
    tenth = len(paragraphs) // 10
    return read_text("\n".join(paragraphs[tenth:])), read_text("\n".join(paragraphs[:tenth]))


def loss_and_grad(table: Floats, text: Text) -> tuple[float, RowSparse]:
    """Compute the mean cross entropy in bits per letter, and the gradient of the table."""
    letters, contexts = text
    bits = len(table).bit_length() - 1
    hashes = contexts * np.uint64(0x9E3779B97F4A7C15)  # 2**64 / the golden ratio, which mixes the upper bits well
    rows = (hashes >> np.uint64(64 - bits)).astype(np.int64)
    scores = table[rows].sum(axis=1)
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    correct = np.arange(len(letters)), letters
    loss = -float(np.log2(probabilities[correct]).mean())
    probabilities[correct] -= 1
    d_scores = probabilities / len(letters)
    return loss, RowSparse(rows.ravel(), np.repeat(d_scores, len(CONTEXT_LENGTHS), axis=0))


def zeros_in_file(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Create an array in a new file, which reads as zeros and takes disk space only where it has been written.

    If the disk is full by then, the write kills the process; `os.posix_fallocate` would reserve the space beforehand.
    """
    array = np.memmap(path, dtype, "w+", shape=shape)
    assert isinstance(array.base, mmap.mmap)
    array.base.madvise(mmap.MADV_RANDOM)  # a row needs one page; the system would also read the 31 pages around it
    return array


def table_and_optimizer(folder: Path, rows: int) -> tuple[Floats, TorchAdagrad]:
    def allocate(param: npt.NDArray[Any], dtype: np.dtype[Any], value: complex) -> npt.NDArray[Any]:
        assert value == 0  # a new file reads as zeros
        return zeros_in_file(folder / f"sum-{rows}", param.shape, dtype)

    table = zeros_in_file(folder / f"table-{rows}", (rows, len(LETTERS) + 1), np.float32)
    return table, TorchAdagrad([table], lr=RATE, allocate=allocate)


def select(text: Text, index: Any) -> Text:
    return Text(text.letters[index], text.contexts[index])


def held_out_loss(table: Floats, text: Text) -> float:
    starts = range(0, len(text.letters) - BATCH, BATCH)
    return float(np.mean([loss_and_grad(table, select(text, slice(i, i + BATCH)))[0] for i in starts]))


def train(table: Floats, opt: TorchAdagrad, training: Text, held_out: Text, rng: np.random.Generator) -> None:
    """Train on all letters twice. The files grow in the first pass, when most rows are new, but not in the second."""
    size = f"{table.nbytes // MB:,} MB"
    print(f"{size}, untrained: {held_out_loss(table, held_out):.2f} bits per letter of held-out text")
    for number in (1, 2):
        seconds = []
        batches = np.array_split(rng.permutation(len(training.letters)), len(training.letters) // BATCH)
        for batch in track(batches, f"{size}, pass {number}", transient=True, disable=not sys.stdout.isatty()):
            _, grad = loss_and_grad(table, select(training, batch))
            start = perf_counter()
            opt.step([grad])
            seconds.append(perf_counter() - start)
        loss, step = held_out_loss(table, held_out), np.median(seconds) * 1e3
        print(f"{size}, pass {number}: {loss:.2f} bits per letter of held-out text, {step:.2f} ms per step")


def status(key: str) -> int:
    """Return a value of /proc/self/status, in bytes."""
    (kilobytes,) = re.findall(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


def limit_memory(nbytes: int) -> None:
    """Limit the memory of the process to `HEADROOM` more bytes, and show that it cannot allocate `nbytes`.

    RLIMIT_DATA does not count mapped files. RLIMIT_AS would.
    """
    limit = status("VmData") + HEADROOM
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    try:
        np.zeros(nbytes, np.uint8)
    except MemoryError as error:
        print(f"in memory, limited to {limit // MB} MB: {error}")
    else:
        sys.exit("this system does not enforce RLIMIT_DATA")


def step_after_truncation(table: Floats, opt: TorchAdagrad, training: Text, path: Path) -> bool:
    """Truncate the accumulator's file to half its size, try to step, and return whether anything changed."""
    _, grad = loss_and_grad(table, select(training, slice(BATCH)))
    remaining = grad.indices[grad.indices < len(table) // 2]
    state = opt.state[0]

    def contents() -> list[npt.NDArray[Any]]:
        return [table[grad.indices], state["sum"][remaining], state["step"].copy()]

    before = contents()
    os.truncate(path, path.stat().st_size // 2)  # reading the other half would now kill the process
    try:
        opt.step([grad])
    except ValueError as error:
        print(f"error: {error}")
    changed = not all(map(np.array_equal, before, contents()))
    print("changed by that step:", "something" if changed else "nothing")
    return changed


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="folder for the files (default: the system's temporary folder)")
    parser.add_argument("--letters", type=int, help="number of letters to train on (default: all, about 330,000)")
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    training, held_out = training_and_held_out(rng)
    training = select(training, slice(arguments.letters))
    with TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        limit_memory(BIG * (len(LETTERS) + 1) * 4)
        train(*table_and_optimizer(folder, SMALL), training, held_out, rng)
        table, opt = table_and_optimizer(folder, BIG)
        train(table, opt, training, held_out, rng)

        files = [folder / f"table-{BIG}", folder / f"sum-{BIG}"]
        length = sum(file.stat().st_size for file in files) // MB
        disk = sum(file.stat().st_blocks * 512 for file in files) // MB
        mapped = (status("RssFile") + status("RssShmem")) // MB  # RssShmem if the folder is in memory
        print(f"both files: {length:,} MB long, {disk:,} MB on disk")
        print(f"memory: {status('RssAnon') // MB} MB, and {mapped:,} MB of mapped files, which the system can reclaim")
        return step_after_truncation(table, opt, training, files[1])


if __name__ == "__main__":
    sys.exit(main())
