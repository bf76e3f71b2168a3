"""Train a network on handwritten digits with several processes.

    pip install ".[demo,mpi]"
    mpiexec -n 4 python -m mpi4py examples/mpi_digits.py

Every rank takes a part of each batch. With --sharded, each rank has the accumulators of one part only; the
parameters have the same bits. Rank 0 prints and plots the loss and the time.
"""

import argparse
import time

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from mpi4py import MPI
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.mpi import Replicated, Sharded
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
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


def new_optimizer(params: dict[str, Floats], sharded: bool) -> Sharded | Replicated:
    if sharded:
        return Sharded(TorchAdagrad, params, MPI.COMM_WORLD, lr=0.05)
    return Replicated(TorchAdagrad(params, lr=0.05), MPI.COMM_WORLD)


def plot(losses: list[float], grads: list[float], steps: list[float], title: str, out: str) -> None:
    """Plot the loss of each epoch, and the seconds that rank 0 spent in gradients and in steps."""
    figure = Figure(figsize=(9, 4), dpi=130, layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(losses) + 1)
    left.plot(epochs, losses, marker="o", color="#1f6feb")
    left.set(yscale="log", ylabel="mean cross entropy, nats", title="Loss")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter(NullFormatter())
    own, shared = 1e3 * np.array(grads), 1e3 * np.array(steps)
    right.bar(epochs, own, color="#8c959f", label="gradients: each rank its own")
    right.bar(epochs, shared, bottom=own, color="#1f6feb", label="steps: mean over all ranks, update")
    right.set(ylabel="milliseconds of rank 0", title="Time of an epoch")
    right.set_ylim(0, 1.35 * float((own + shared).max()))
    right.legend(frameon=False, loc="upper right")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sharded", action="store_true", help="divide the accumulators among the ranks")
    parser.add_argument("--epochs", type=int, default=10, help="(default: %(default)s)")
    parser.add_argument("--out", default="mpi_digits.png", help="file for the plot (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error(f"argument --epochs: expected at least 1, got {arguments.epochs}")
    comm = MPI.COMM_WORLD
    digits = load_digits()
    x, labels = (digits.data / 16).astype(np.float32), digits.target
    rng = np.random.default_rng(0)  # the same on every rank, and so the same parameters and batches
    params = new_params(rng)
    opt = new_optimizer(params, arguments.sharded)
    if isinstance(opt, Sharded):
        params = opt.params  # its own arrays, which the step updates

    losses, grad_times, step_times = [], [], []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(quiet=comm.rank != 0)) as progress:
        task = progress.add_task("epochs", total=arguments.epochs)
        for epoch in range(1, arguments.epochs + 1):
            own_losses = []
            in_grads = in_steps = 0.0
            for batch in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
                own = np.array_split(batch, comm.size)[comm.rank]
                start = time.perf_counter()
                loss, grads = loss_and_grads(params, x[own], labels[own])
                middle = time.perf_counter()
                opt.step(grads)
                in_grads, in_steps = in_grads + middle - start, in_steps + time.perf_counter() - middle
                own_losses.append(loss)
            losses.append(comm.allreduce(float(np.mean(own_losses))) / comm.size)
            grad_times.append(in_grads)
            step_times.append(in_steps)
            text = f"epoch {epoch:2}: loss {losses[-1]:.4f}, {in_grads + in_steps:.3f} s, ranks: {comm.size}"
            progress.console.print(text, highlight=False)
            progress.advance(task)
    if comm.rank == 0:
        name = "Sharded" if arguments.sharded else "Replicated"
        title = f"Handwritten digits on {comm.size} ranks, {name}"
        plot(losses, grad_times, step_times, title, arguments.out)
        print(f"plot saved to {arguments.out}")


if __name__ == "__main__":
    main()
