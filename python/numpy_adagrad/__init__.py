"""The Adagrad of PyTorch and of MindSpore, bit for bit, in place on NumPy arrays."""

from . import _core, functional
from .config import show_config
from .migration import from_mindspore, from_torch, to_mindspore, to_torch, torch_grads, translate, translate_state
from .mindspore_adagrad import MindSporeAdagrad
from .sparse import RowSparse
from .torch_adagrad import TorchAdagrad

__version__ = _core.version
__all__ = [
    "MindSporeAdagrad",
    "RowSparse",
    "TorchAdagrad",
    "from_mindspore",
    "from_torch",
    "functional",
    "show_config",
    "to_mindspore",
    "to_torch",
    "torch_grads",
    "translate",
    "translate_state",
]
