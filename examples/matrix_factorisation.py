"""Complete pictures of which half the pixels are hidden, by factorising a matrix, with sparse gradients.

The matrix has a row for each of 1,797 handwritten digits and a column for each of their 64 pixels. It is approximated
by the mean of each pixel plus a product of two narrow matrices, which are fitted to the known pixels. A recommender
does the same with people, films and the ratings that are known. A batch of 1,024 known pixels touches some rows of both
factors. So the gradients are RowSparse, and rows that occur more than once are added up.

    pip install ".[demo]"
    python examples/matrix_factorisation.py
"""

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from numpy_adagrad import RowSparse, TorchAdagrad
from sklearn.datasets import load_digits

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

RANK, RATE, PENALTY = 16, 0.1, 0.02
EPOCHS, BATCH = 20, 1024


def grads(left: Floats, right: Floats, rows: Indices, columns: Indices, values: Floats) -> list[RowSparse]:
    """Compute the gradients of half the squared error, with a penalty on the rows that occur."""
    a, b = left[rows], right[columns]
    error = ((a * b).sum(axis=1) - values)[:, None]
    return [RowSparse(rows, error * b + PENALTY * a), RowSparse(columns, error * a + PENALTY * b)]


def factorise(matrix: Floats, known: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Return the product of the factors, which has no gaps."""
    left = rng.normal(0, 0.1, (matrix.shape[0], RANK)).astype(np.float32)
    right = rng.normal(0, 0.1, (matrix.shape[1], RANK)).astype(np.float32)
    opt = TorchAdagrad([left, right], lr=RATE)
    rows, columns = np.nonzero(known)
    for epoch in range(1, EPOCHS + 1):
        for batch in np.array_split(rng.permutation(len(rows)), len(rows) // BATCH):
            i, j = rows[batch], columns[batch]
            opt.step(grads(left, right, i, j, matrix[i, j]))  # updates the rows i and j
        if epoch % 5 == 0:
            print(f"epoch {epoch:2}: error {rms((left @ right.T - matrix)[known]):.3f} on known pixels")
    product: Floats = left @ right.T
    return product


def rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def plot(images: dict[str, Floats]) -> None:
    figure, axes = plt.subplots(len(images), figsize=(7, 3.4), layout="constrained")
    for panel, (title, pixels) in zip(axes, images.items(), strict=True):
        row = np.hstack([np.pad(digit.reshape(8, 8), ((0, 0), (0, 2))) for digit in pixels])
        panel.imshow(row, cmap=plt.get_cmap("gray_r").with_extremes(bad="#ffc9c2"), vmin=0, vmax=1)
        panel.set_title(title, loc="left", fontsize=10)
        panel.set_axis_off()
    figure.savefig("matrix_factorisation.png", dpi=110)


def main() -> None:
    rng = np.random.default_rng(0)
    digits = (load_digits().data / 16).astype(np.float32)
    known = rng.random(digits.shape) < 0.5
    mean = np.mean(digits, axis=0, where=known)
    completed = factorise(digits - mean, known, rng) + mean
    print(f"hidden pixels: error {rms((mean - digits)[~known]):.3f} with the mean of each pixel")
    print(f"hidden pixels: error {rms((completed - digits)[~known]):.3f} with the factors")
    gaps, filled = np.where(known, digits, np.nan), np.where(known, digits, completed)
    plot({"known pixels (the hidden ones are red)": gaps[:10], "completed": filled[:10], "original": digits[:10]})
    print("plot saved to matrix_factorisation.png")


if __name__ == "__main__":
    main()
