"""Train a network on handwritten digits with several processes: `mpiexec -n 4 python -m mpi4py examples/mpi_digits.py`.

Every rank takes its own part of each batch. With --sharded, each rank has the accumulators of its own part only; the
parameters have the same bits. Rank 0 prints the loss and the time.
"""

import argparse
import time

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.mpi import Replicated, Sharded
from sklearn.datasets import load_digits

Floats = npt.NDArray[np.float32]
HIDDEN, BATCH = 64, 120


def new_params(rng: np.random.Generator) -> dict[str, Floats]:
    return {
        "W1": rng.normal(0, 0.2, (64, HIDDEN)).astype(np.float32),
        "b1": np.zeros(HIDDEN, np.float32),
        "W2": rng.normal(0, 0.2, (HIDDEN, 10)).astype(np.float32),
        "b2": np.zeros(10, np.float32),
    }


def loss_and_grads(
    params: dict[str, Floats], x: Floats, labels: npt.NDArray[np.int64]
) -> tuple[float, dict[str, Floats]]:
    """Compute the mean cross entropy and its gradients."""
    hidden = np.maximum(x @ params["W1"] + params["b1"], 0)
    scores = hidden @ params["W2"] + params["b2"]
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    correct = np.arange(len(labels)), labels
    loss = -float(np.log(p[correct]).mean())
    p[correct] -= 1
    p /= len(labels)
    d_hidden = (p @ params["W2"].T) * (hidden > 0)
    return loss, {"W1": x.T @ d_hidden, "b1": d_hidden.sum(axis=0), "W2": hidden.T @ p, "b2": p.sum(axis=0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sharded", action="store_true", help="divide the accumulators among the ranks")
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    comm = MPI.COMM_WORLD
    digits = load_digits()
    x, labels = (digits.data / 16).astype(np.float32), digits.target
    rng = np.random.default_rng(0)  # the same on every rank, and so the same parameters and batches
    params = new_params(rng)
    opt: Sharded | Replicated
    if arguments.sharded:
        opt = Sharded(TorchAdagrad, params, comm, lr=0.05)
        params = opt.params  # its own arrays, which the step updates
    else:
        opt = Replicated(TorchAdagrad(params, lr=0.05), comm)

    start = time.perf_counter()
    for epoch in range(arguments.epochs):
        losses = []
        for batch in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
            own = np.array_split(batch, comm.size)[comm.rank]
            loss, grads = loss_and_grads(params, x[own], labels[own])
            opt.step(grads)
            losses.append(loss)
        mean = comm.allreduce(float(np.mean(losses))) / comm.size
        if comm.rank == 0:
            seconds = time.perf_counter() - start
            print(f"epoch {epoch + 1:2}: loss {mean:.4f}, {seconds:.1f} s on {comm.size} ranks", flush=True)


main()
