"""A classifier for scikit-learn that is trained with Adagrad, to copy into your own project.

It is softmax regression with `fit`, `partial_fit` and `predict_proba`, on dense arrays and on SciPy's sparse ones,
whose gradients stay sparse. It passes `sklearn.utils.estimator_checks.check_estimator`, so that pipelines, grid
searches, cross-validation and pickling work.

    pip install ".[demo]"
    python examples/sklearn_estimator.py
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy_adagrad import TorchAdagrad
from scipy.sparse import csr_array, issparse
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data


class AdagradClassifier(ClassifierMixin, BaseEstimator):
    """Softmax regression, trained with Adagrad on mini-batches.

    Parameters
    ----------
    learning_rate : float, default 0.1
    epochs : int, default 20
        Number of passes of `fit` over the data. `partial_fit` makes one.
    batch_size : int, default 32
    random_state : int, RandomState or None, default None
        Determines the order of the samples.
    """

    def __init__(self, learning_rate: float = 0.1, epochs: int = 20, batch_size: int = 32, random_state: Any = None):
        # scikit-learn copies estimators by their arguments, so nothing is checked or computed before fit.
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "AdagradClassifier":
        X, y = self._checked(X, y, reset=True)
        self._initialise(X, np.unique(y))
        return self._train(X, y, self.epochs)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> "AdagradClassifier":
        """Continue the training. The first call needs all labels as `classes`: later batches may have new ones."""
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("classes: expected all labels in the first call to partial_fit, got None")
        X, y = self._checked(X, y, reset=first)
        known = unique_labels(classes) if first else self.classes_
        if classes is not None and not np.array_equal(unique_labels(classes), known):
            raise ValueError(f"classes: expected those of the first call, {known}, got {classes}")
        if not np.isin(y, known).all():
            raise ValueError(f"y: expected labels among {known}, got {np.setdiff1d(y, known)}")
        if first:
            self._initialise(X, known)
        return self._train(X, y, epochs=1)

    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        return np.asarray(softmax(X @ self._W + self._b, axis=1))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    @property
    def coef_(self) -> npt.NDArray[Any]:
        """The weights as scikit-learn shapes them. The rows of our own array are features: a gradient has few."""
        return np.asarray(self._W.T)

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        check_scalar(self.learning_rate, "learning_rate", Real, min_val=0, include_boundaries="neither")
        check_scalar(self.epochs, "epochs", Integral, min_val=1)
        check_scalar(self.batch_size, "batch_size", Integral, min_val=1)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], reset=reset)
        check_classification_targets(y)
        return X, y

    def _initialise(self, X: Any, classes: npt.NDArray[Any]) -> None:
        self.classes_ = classes
        self._W = np.zeros((X.shape[1], len(classes)), X.dtype)
        self._b = np.zeros(len(classes), X.dtype)
        # A pickle or a deep copy of the classifier has its own optimizer, which updates the arrays of the copy.
        self._optimizer = TorchAdagrad({"W": self._W, "b": self._b}, lr=self.learning_rate)

    def _train(self, X: Any, y: Any, epochs: int) -> "AdagradClassifier":
        self._optimizer.param_groups[0]["lr"] = self.learning_rate  # set_params may have changed it
        X, targets = X.astype(self._W.dtype, copy=False), np.searchsorted(self.classes_, y)
        rng = check_random_state(self.random_state)
        for _ in range(epochs):
            order = rng.permutation(len(y))
            for start in range(0, len(y), self.batch_size):
                batch = order[start : start + self.batch_size]
                self._optimizer.step(self._grads(X[batch], targets[batch]))
        return self

    def _grads(self, X: Any, targets: npt.NDArray[np.intp]) -> dict[str, Any]:
        d_scores = softmax(X @ self._W + self._b, axis=1)
        d_scores[np.arange(len(targets)), targets] -= 1
        d_scores /= len(targets)
        return {"W": X.T @ (csr_array(d_scores) if issparse(X) else d_scores), "b": d_scores.sum(axis=0)}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def main() -> None:
    X, y = load_digits(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)

    model = make_pipeline(MaxAbsScaler(), AdagradClassifier(random_state=0))
    search = GridSearchCV(model, {"adagradclassifier__learning_rate": [0.001, 0.01, 0.1, 1.0]}, cv=3)
    search.fit(train_X, train_y)
    for parameters, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        print(f"cross-validation, {parameters}: {score:.1%}")
    print(f"grid search: {search.score(test_X, test_y):.1%} of held-out digits recognised")

    stream = AdagradClassifier(random_state=0)
    for part in np.array_split(np.arange(len(train_y)), 5):
        stream.partial_fit(csr_array(train_X[part] / 16), train_y[part], classes=np.arange(10))
        print(f"partial_fit of {len(part)} sparse samples: {stream.score(test_X / 16, test_y):.1%} recognised")


if __name__ == "__main__":
    main()
