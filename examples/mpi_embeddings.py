"""Train the word vectors of word_vectors.py with tables whose rows are divided among processes.

    pip install ".[demo,mpi]"
    mpiexec -n 4 python -m mpi4py examples/mpi_embeddings.py

Every rank computes the gradients for its part of each batch. `lookup` brings the rows that it needs from the ranks that
have them, and `step` sends the gradients there. No rank has a whole table, nor all accumulators.

With 1, 2, 4, 8 ... ranks, both tables end with the same bits: their digests are equal. The entries of a row are added
in the same order, and a division by a power of two is exact. With 3 ranks, the last bits of a mean may differ.
"""

import argparse
import hashlib

import numpy as np
from mpi4py import MPI
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.mpi import ShardedTable
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from word_vectors import (
    DIMENSIONS,
    RATE,
    Corpus,
    Floats,
    draw_others,
    draw_pairs,
    loss_and_grads,
    read_corpus,
    show,
)

comm = MPI.COMM_WORLD
BATCH = 2048  # of all ranks together, more than in one process: each step sends messages


def small_random_rows(start: int, stop: int) -> Floats:
    """Return some rows of a random table, the same whichever rank has them: skip the numbers of the rows before."""
    rng = np.random.Generator(np.random.PCG64(0).advance(start * DIMENSIONS))
    return ((rng.random((stop - start, DIMENSIONS)) - 0.5) / DIMENSIONS).astype(np.float32)


def train(corpus: Corpus, epochs: int) -> tuple[ShardedTable, ShardedTable]:
    count = len(corpus.words)
    vectors = ShardedTable(count, DIMENSIONS, comm, TorchAdagrad, create=small_random_rows, lr=RATE)
    context = ShardedTable(count, DIMENSIONS, comm, TorchAdagrad, lr=RATE)
    rng = np.random.default_rng(0)  # the same on every rank, and so the same batches
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(quiet=comm.rank != 0)) as progress:
        task = progress.add_task("epochs", total=epochs)
        for epoch in range(1, epochs + 1):
            losses, pairs = [], draw_pairs(corpus, rng)
            for first in range(0, len(pairs) - BATCH + 1, BATCH):
                batch = pairs[first : first + BATCH]
                others = draw_others(corpus, batch[:, 1], rng)
                words, others = (np.array_split(whole, comm.size)[comm.rank] for whole in (batch[:, 0], others))
                v, c = vectors.lookup(words), context.lookup(others)
                loss, (d_vectors, d_context) = loss_and_grads(v, c, words, others)
                vectors.step(d_vectors)
                context.step(d_context)
                losses.append(loss)
            mean = comm.allreduce(float(np.mean(losses))) / comm.size
            progress.console.print(f"epoch {epoch:2}: loss {mean:.3f}", highlight=False)
            progress.advance(task)
    return vectors, context


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--out", default="word_vectors.png", help="file for the plot (default: %(default)s)")
    arguments = parser.parse_args()

    corpus = read_corpus()
    tables = train(corpus, arguments.epochs)
    shares = comm.gather(sum(table.local_rows.nbytes for table in tables))
    # All ranks take part in a lookup. Only the first one asks for rows: here it can hold a table.
    wanted = np.arange(len(corpus.words) if comm.rank == 0 else 0)
    vectors, context = (table.lookup(wanted) for table in tables)
    if shares is not None:  # on rank 0
        print(f"{len(corpus.words):,} words; kB of both tables by rank: {', '.join(f'{n / 1e3:.0f}' for n in shares)}")
        for name, table in {"vectors": vectors, "context": context}.items():
            print(f"digest of {name}: {hashlib.sha256(table.tobytes()).hexdigest()[:16]}")
        show(corpus, vectors, arguments.out)


if __name__ == "__main__":
    main()
