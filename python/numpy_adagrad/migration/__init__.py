"""Moving between frameworks: arguments, live optimizers, state dicts."""

from .mindspore_optimizer import from_mindspore, to_mindspore
from .notes import Note
from .state_dicts import translate_state
from .torch_optimizer import from_torch, to_torch, torch_grads
from .translate import Translation, translate

__all__ = [
    "Note",
    "Translation",
    "from_mindspore",
    "from_torch",
    "to_mindspore",
    "to_torch",
    "torch_grads",
    "translate",
    "translate_state",
]
