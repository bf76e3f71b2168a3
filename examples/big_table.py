"""A table larger than memory: it and its accumulator are files, of which a step touches 4,096 rows.

The table guesses the next letter of Python's own help texts. What stood before, the last 1, 2, 4 and 6 letters, is
hashed to a row each; their sum scores the 32 letters. A table of 2 GB has room enough that hardly two of them meet in
a row. One of 2 MB learns the same for comparison: it fits the caches, which saves some time a step, and guesses worse.

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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy_adagrad import RowSparse, TorchAdagrad
from rich.progress import track

LETTERS = "\n abcdefghijklmnopqrstuvwxyz.,_"  # 31 of them; all others are the 32nd
ORDERS = (1, 2, 4, 6)
BATCH = 4096 // len(ORDERS)
RATE = 0.3
BIG, SMALL = 2**24, 2**14  # rows, of 32 float32 each
SPARE = 2**28  # bytes that the process may still allocate
MB = 2**20


class Text(NamedTuple):
    """The letters of a text as numbers, and a row of keys for each: what stood before it, for each order a number."""

    letters: np.ndarray
    keys: np.ndarray


def read_text(text: str) -> Text:
    number = {letter: i for i, letter in enumerate(LETTERS)}
    letters = np.array([number.get(letter, len(LETTERS)) for letter in text.lower()], np.uint64)
    longest, keys = max(ORDERS), []
    for order in ORDERS:
        key = np.full(len(letters) - longest, order, np.uint64)
        for back in range(order, 0, -1):
            key = key * np.uint64(32) + letters[longest - back : len(letters) - back]
        keys.append(key)
    return Text(letters[longest:].astype(np.intp), np.stack(keys, axis=1))


def training_and_held_out(rng: np.random.Generator) -> tuple[Text, Text]:
    """Shuffle the paragraphs and hold a tenth out. Many stand in several texts: each is taken once."""
    paragraphs = list(dict.fromkeys("\n".join(topics.values()).split("\n\n")))
    rng.shuffle(paragraphs)
    tenth = len(paragraphs) // 10
    return read_text("\n".join(paragraphs[tenth:])), read_text("\n".join(paragraphs[:tenth]))


def loss_and_grad(table: np.ndarray, letters: np.ndarray, keys: np.ndarray) -> tuple[float, RowSparse]:
    """Mean cross entropy, in bits per letter, and its gradient in the table."""
    bits = len(table).bit_length() - 1
    hashes = keys * np.uint64(0x9E3779B97F4A7C15)  # 2**64 / the golden ratio; the upper bits are the mixed ones
    rows = (hashes >> np.uint64(64 - bits)).astype(np.int64)
    scores = table[rows].sum(axis=1)
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    right = np.arange(len(letters)), letters
    loss = -float(np.log2(chances[right]).mean())
    chances[right] -= 1
    d_scores = chances / len(letters)
    return loss, RowSparse(rows.ravel(), np.repeat(d_scores, len(ORDERS), axis=0))


def zeros_in_file(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.memmap:
    """Make an array in a new file, which reads as zeros and takes disk space only where it is written.

    Where the disk is full by then, writing ends the process; `os.posix_fallocate` would claim all space beforehand.
    """
    array = np.memmap(path, dtype, "w+", shape=shape)
    assert isinstance(array.base, mmap.mmap)
    array.base.madvise(mmap.MADV_RANDOM)  # a row wants one page; the system would read the 31 around it, too
    return array


def table_and_optimizer(folder: Path, rows: int) -> tuple[np.ndarray, TorchAdagrad]:
    def allocate(param: np.ndarray, dtype: np.dtype, value: complex) -> np.ndarray:
        assert value == 0  # as the new file reads
        return zeros_in_file(folder / f"sum-{rows}", param.shape, dtype)

    table = zeros_in_file(folder / f"table-{rows}", (rows, len(LETTERS) + 1), np.float32)
    return table, TorchAdagrad([table], lr=RATE, allocate=allocate)


def held_out_loss(table: np.ndarray, text: Text) -> float:
    starts = range(0, len(text.letters) - BATCH, BATCH)
    return float(np.mean([loss_and_grad(table, *(part[i : i + BATCH] for part in text))[0] for i in starts]))


def train(table: np.ndarray, opt: TorchAdagrad, training: Text, held_out: Text, rng: np.random.Generator) -> None:
    """Learn all letters twice: in the first pass the file grows with the rows that are new, in the second none is."""
    size = f"{table.nbytes // MB:,} MB"
    print(f"{size}, untrained: {held_out_loss(table, held_out):.2f} bits per letter of held-out text")
    for number in (1, 2):
        seconds = []
        batches = np.array_split(rng.permutation(len(training.letters)), len(training.letters) // BATCH)
        for batch in track(batches, f"{size}, pass {number}", transient=True, disable=not sys.stdout.isatty()):
            _, grad = loss_and_grad(table, training.letters[batch], training.keys[batch])
            start = perf_counter()
            opt.step([grad])
            seconds.append(perf_counter() - start)
        loss, step = held_out_loss(table, held_out), np.median(seconds) * 1e3
        print(f"{size}, pass {number}: {loss:.2f} bits per letter of held-out text, {step:.2f} ms a step")


def status(key: str) -> int:
    """A figure of the process, in bytes."""
    (kilobytes,) = re.findall(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


def limit_memory(nbytes: int) -> None:
    """Let the process allocate no more than `SPARE`, and show that `nbytes` are too many.

    RLIMIT_DATA counts memory that is no file's. RLIMIT_AS would count the mapped files, too.
    """
    limit = status("VmData") + SPARE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    try:
        np.zeros(nbytes, np.uint8)
    except MemoryError as error:
        print(f"in memory, limited to {limit // MB} MB: {error}")
    else:
        sys.exit("this system does not keep to RLIMIT_DATA")


def cut_short(table: np.ndarray, opt: TorchAdagrad, training: Text, path: Path) -> bool:
    """Cut half of the accumulator's file off; tell whether a step that needs it changed anything."""
    _, grad = loss_and_grad(table, training.letters[:BATCH], training.keys[:BATCH])
    kept = grad.indices[grad.indices < len(table) // 2]
    state = opt.state[0]

    def touched() -> list[np.ndarray]:
        return [table[grad.indices], state["sum"][kept], state["step"].copy()]

    before = touched()
    os.truncate(path, path.stat().st_size // 2)  # to read there now would end the process
    try:
        opt.step([grad])
    except ValueError as error:
        print(f"refused: {error}")
    changed = not all(map(np.array_equal, before, touched()))
    print("changed by that step:", "something" if changed else "nothing")
    return changed


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="where the files lie while it runs (default: the system's for such files)")
    parser.add_argument("--letters", type=int, help="learn from so many letters (default: all, some 330,000)")
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    training, held_out = training_and_held_out(rng)
    training = Text(*(part[: arguments.letters] for part in training))
    with TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        limit_memory(BIG * (len(LETTERS) + 1) * 4)
        train(*table_and_optimizer(folder, SMALL), training, held_out, rng)
        table, opt = table_and_optimizer(folder, BIG)
        train(table, opt, training, held_out, rng)

        files = [folder / f"table-{BIG}", folder / f"sum-{BIG}"]
        length = sum(file.stat().st_size for file in files) // MB
        disk = sum(file.stat().st_blocks * 512 for file in files) // MB
        mapped = (status("RssFile") + status("RssShmem")) // MB  # the latter where the files' folder is in memory
        print(f"both files: {length:,} MB long, {disk:,} MB on disk")
        print(f"memory: {status('RssAnon') // MB} MB, and {mapped:,} MB of files, which the system may take back")
        return cut_short(table, opt, training, files[1])


if __name__ == "__main__":
    sys.exit(main())
