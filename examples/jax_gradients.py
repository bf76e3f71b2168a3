"""Train a convolutional network for handwritten digits with gradients from JAX and parameters in NumPy.

JAX compiles the loss and its gradients. The parameters are NumPy arrays in a dict, and the gradients are a dict with
the same names, which `opt.step` accepts. On a CPU nothing is copied: JAX reads a parameter in place if it starts at a
64-byte boundary, the step updates it in place, and `np.asarray` of a JAX gradient shares its memory.

    pip install ".[demo]" "jax>=0.5"
    python examples/jax_gradients.py
"""

import argparse
from math import prod
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from numpy_adagrad import TorchAdagrad
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]
Params = dict[str, Floats]
Split = tuple[Floats, Labels]

SHAPES = {
    "conv1.weight": (16, 1, 3, 3),
    "conv1.bias": (16, 1, 1),
    "conv2.weight": (32, 16, 3, 3),
    "conv2.bias": (32, 1, 1),
    "dense.weight": (32 * 4 * 4, 10),
    "dense.bias": (10,),
}
BATCH = 32
RATE = 0.03
BOUNDARY = 64  # bytes; JAX copies an array that does not start at such a boundary in every call


def aligned_zeros(shape: tuple[int, ...]) -> Floats:
    """Create an array that starts at a boundary; NumPy itself aligns arrays to 16 bytes only."""
    size = 4 * prod(shape)
    buffer = np.zeros(size + BOUNDARY, np.uint8)
    start = -buffer.ctypes.data % BOUNDARY
    return buffer[start : start + size].view(np.float32).reshape(shape)


def initial_params(rng: np.random.Generator) -> Params:
    """Draw normal weights with variance 2 / inputs; biases are zero."""
    params = {name: aligned_zeros(shape) for name, shape in SHAPES.items()}
    for name, param in params.items():
        if name.endswith("weight"):
            inputs = param.shape[0] if param.ndim == 2 else prod(param.shape[1:])
            param[...] = rng.normal(0, np.sqrt(2 / inputs), param.shape)
    return params


def read_digits() -> tuple[Split, Split]:
    """Load scikit-learn's 1,797 digits of 8 x 8 pixels and hold out a fifth."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    return (train_x, train_y), (test_x, test_y)


def scores(params: Any, images: Any) -> Any:
    """Compute the scores of the ten digits, in JAX. The second layer halves the size of the image."""
    hidden = jax.lax.conv_general_dilated(images, params["conv1.weight"], (1, 1), "SAME")
    hidden = jax.nn.relu(hidden + params["conv1.bias"])
    hidden = jax.lax.conv_general_dilated(hidden, params["conv2.weight"], (2, 2), "SAME")
    hidden = jax.nn.relu(hidden + params["conv2.bias"])
    return hidden.reshape(len(hidden), -1) @ params["dense.weight"] + params["dense.bias"]


def loss(params: Any, images: Any, labels: Any) -> Any:
    """Compute the mean cross entropy, in JAX."""
    log_probabilities = jax.nn.log_softmax(scores(params, images))
    return -log_probabilities[jnp.arange(len(labels)), labels].mean()


def train(params: Params, split: Split, epochs: int, rng: np.random.Generator) -> tuple[float, float]:
    """Train and return the time of all epochs and the part of it spent in `opt.step`, in seconds."""
    images, labels = split
    opt = TorchAdagrad(params, lr=RATE)
    loss_and_grads = jax.jit(jax.value_and_grad(loss))
    # JAX compiles for each batch size, so all batches have the same one; compile now, before the clock starts.
    jax.block_until_ready(loss_and_grads(params, images[:BATCH], labels[:BATCH]))
    start, step_seconds = perf_counter(), 0.0
    for epoch in range(1, epochs + 1):
        losses = []
        for batch in rng.permutation(len(labels))[: len(labels) // BATCH * BATCH].reshape(-1, BATCH):
            # The call returns before JAX has read the parameters, so a step now would be a race. Wait for the
            # results: once they are ready, JAX has read all its inputs. Copying the parameters first does not help in
            # JAX 0.10: jnp.array returns before the copy is made, and device_put(..., may_alias=False) may not copy.
            # Do not keep a jax.Array of a parameter either: whether a step changes it depends on its alignment.
            value, grads = jax.block_until_ready(loss_and_grads(params, images[batch], labels[batch]))
            grads = {name: np.asarray(grad) for name, grad in grads.items()}
            before_step = perf_counter()
            opt.step(grads)
            step_seconds += perf_counter() - before_step
            losses.append(float(value))
        print(f"epoch {epoch:2}: loss {np.mean(losses):.4f}")
    return perf_counter() - start, step_seconds


def report(params: Params, train_split: Split, test_split: Split) -> str:
    """Describe how well the network performs on all digits."""
    images, labels = test_split
    predicted = np.asarray(scores(params, images)).argmax(axis=1)
    return f"training loss {float(loss(params, *train_split)):.4f}, test accuracy {np.mean(predicted == labels):.1%}"


def read_in_place(param: Floats) -> bool:
    """Return whether JAX reads an array in place: its own array then has the same address."""
    return bool(jax.device_put(param).unsafe_buffer_pointer() == param.ctypes.data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="(default: %(default)s)")
    epochs = parser.parse_args().epochs

    train_split, test_split = read_digits()
    rng = np.random.default_rng(0)
    params = initial_params(rng)
    count, in_place = sum(param.size for param in params.values()), sum(map(read_in_place, params.values()))
    print(f"{count:,} parameters in {len(params)} arrays, {in_place} of which JAX reads in place")
    print(f"before: {report(params, train_split, test_split)}")
    seconds, step_seconds = train(params, train_split, epochs, rng)
    print(f"after:  {report(params, train_split, test_split)}")
    print(f"{seconds:.2f} s, {step_seconds / seconds:.1%} of it in opt.step")


if __name__ == "__main__":
    main()
