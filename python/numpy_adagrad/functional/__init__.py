"""The stateless forms: one step on arrays that the caller keeps."""

from .mindspore import apply_adagrad
from .torch import adagrad

__all__ = ["adagrad", "apply_adagrad"]
