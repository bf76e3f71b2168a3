"""The Adagrad of PyTorch and of MindSpore, bit for bit, in place on NumPy arrays."""

from typing import TYPE_CHECKING, Any

import numpy as _numpy  # noqa: F401  # before _core, whose own import turns an interrupt into an ImportError

from . import _core, functional, schedules
from .config import show_config
from .inputs.row_sparse import RowSparse
from .optimizers.mindspore import MindSporeAdagrad
from .optimizers.torch import TorchAdagrad

if TYPE_CHECKING:
    from .migration import from_mindspore, from_torch, to_mindspore, to_torch, torch_grads, translate_state
    from .migration.translate import translate

__version__ = _core.version
__all__ = [
    "MindSporeAdagrad",
    "RowSparse",
    "TorchAdagrad",
    "from_mindspore",
    "from_torch",
    "functional",
    "schedules",
    "show_config",
    "to_mindspore",
    "to_torch",
    "torch_grads",
    "translate",
    "translate_state",
]


def __getattr__(name: str) -> Any:
    """Import the functions of `migration` on first use: they take longer to import than all the rest."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import migration

    return getattr(migration, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
