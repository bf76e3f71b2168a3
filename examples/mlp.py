"""Train a network on handwritten digits, stop half-way, and resume from a checkpoint with equal bits.

The loop has what a longer training needs: a learning rate that warms up and then follows a cosine, weight decay for the
weights but not for the biases (two groups), gradients clipped to a norm of 1, and a checkpoint with the parameters, the
accumulators, the epoch and the random generator that orders the batches. A second network starts from other weights and
loads the checkpoint. After the last epoch, not one bit differs from the run that never stopped.

    pip install ".[demo,checkpoint]"
    python examples/mlp.py
"""

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from numpy_adagrad import TorchAdagrad, schedules
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Floats = npt.NDArray[np.float32]
Params = dict[str, Floats]

EPOCHS, BATCH, HIDDEN = 20, 36, 64
STEPS_PER_EPOCH = 39  # of 36 digits each, and some are left over
CHECKPOINT, HALF = "mlp.safetensors", EPOCHS // 2

images, digits = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
train_x, test_x, train_y, test_y = train_test_split(images, digits, test_size=0.2, stratify=digits, random_state=0)


class Training:
    """The network, its optimizer and the generator that orders the batches."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        W1, W2 = (self.rng.normal(0, np.sqrt(2 / n), (n, m)) for n, m in ((64, HIDDEN), (HIDDEN, 10)))
        weights = {"W1": W1.astype(np.float32), "W2": W2.astype(np.float32)}
        biases = {"b1": np.zeros(HIDDEN, np.float32), "b2": np.zeros(10, np.float32)}
        self.params: Params = weights | biases
        # The schedules count steps. They have the numbers of torch.optim.lr_scheduler.
        cosine = schedules.cosine(0.1, T_max=EPOCHS * STEPS_PER_EPOCH)
        rate = schedules.warmup(cosine, total_iters=2 * STEPS_PER_EPOCH, start_factor=0.1)
        self.opt = TorchAdagrad([{"params": weights, "weight_decay": 1e-3}, {"params": biases}], lr=rate)

    def loss_and_grads(self, x: Floats, labels: npt.NDArray[np.int64]) -> tuple[float, Params]:
        """Compute the mean cross entropy and its gradients by hand."""
        params = self.params
        hidden = np.maximum(x @ params["W1"] + params["b1"], 0)
        p = np.exp(hidden @ params["W2"] + params["b2"])
        p /= p.sum(axis=1, keepdims=True)
        correct = np.arange(len(labels)), labels
        loss = -float(np.log(p[correct]).mean())
        p[correct] -= 1
        p /= len(labels)
        d_hidden = (p @ params["W2"].T) * (hidden > 0)
        return loss, {"W1": x.T @ d_hidden, "b1": d_hidden.sum(axis=0), "W2": hidden.T @ p, "b2": p.sum(axis=0)}

    def epoch(self) -> tuple[float, float]:
        """Return the loss on the held-out digits and the last learning rate."""
        for batch in self.rng.permutation(len(train_y))[: STEPS_PER_EPOCH * BATCH].reshape(-1, BATCH):
            _, grads = self.loss_and_grads(train_x[batch], train_y[batch])
            self.opt.step(grads, max_norm=1.0)  # self.opt.grad_norm is the norm before clipping
        return self.loss_and_grads(test_x, test_y)[0], self.opt.last_lr[0]

    def save(self, epoch: int) -> None:
        extra = {"epoch": epoch, "rng": self.rng.bit_generator.state}
        self.opt.save(CHECKPOINT, parameters=True, extra=extra)

    def load(self) -> int:
        extra = self.opt.load(CHECKPOINT, parameters=True)
        assert extra is not None
        self.rng.bit_generator.state = extra["rng"]
        return int(extra["epoch"])


def plot(whole: list[tuple[float, float]], resumed: list[tuple[float, float]]) -> None:
    epochs = np.arange(1, EPOCHS + 1)
    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(7, 4.4), layout="constrained")
    for axes, column, title in ((top, 0, "loss on held-out digits"), (bottom, 1, "learning rate")):
        axes.plot(epochs, [values[column] for values in whole], color="#8ec5ff", linewidth=7, label="never stopped")
        axes.plot(epochs[HALF:], [values[column] for values in resumed], ".-", color="#0b3d91", label="resumed")
        axes.axvline(HALF, color="#57606a", linestyle=":", label="checkpoint")
        axes.set_title(title, loc="left", fontsize=11)
    top.legend(frameon=False)
    bottom.set(xlabel="epoch", xticks=epochs[1::2])
    figure.savefig("mlp.png", dpi=110)


def main() -> None:
    whole, values = Training(seed=0), []
    for epoch in range(1, EPOCHS + 1):
        values.append(whole.epoch())
        print(f"epoch {epoch:2}: loss {values[-1][0]:.4f}, learning rate {values[-1][1]:.4f}")
        if epoch == HALF:
            whole.save(epoch)

    resumed = Training(seed=1)
    resumed_values = [resumed.epoch() for _ in range(resumed.load(), EPOCHS)]
    equal = all(a.tobytes() == resumed.params[name].tobytes() for name, a in whole.params.items())
    print(f"resumed after epoch {HALF}: the final parameters have {'equal' if equal else 'DIFFERENT'} bits")
    scores = np.maximum(test_x @ whole.params["W1"] + whole.params["b1"], 0) @ whole.params["W2"] + whole.params["b2"]
    print(f"{np.mean(scores.argmax(axis=1) == test_y):.1%} of the held-out digits recognised")
    plot(values, resumed_values)
    print("plot saved to mlp.png")


if __name__ == "__main__":
    main()
