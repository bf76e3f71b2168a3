"""The optimizers: one file for each rule of the core, on a common base."""

from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import iter_modules

from .. import _core
from ._base import Optimizer


def _find() -> dict[str, type[Optimizer]]:
    found = {}
    for file in iter_modules(__path__):
        if not file.name.startswith("_"):
            module = import_module(f"{__name__}.{file.name}")
            own = [cls for _, cls in getmembers(module, isclass) if cls.__module__ == module.__name__]
            found.update({cls._rule: cls for cls in own if issubclass(cls, Optimizer)})
    return {rule: found[rule] for rule in _core.rules if rule in found}


OPTIMIZERS = _find()
"""The optimizer of each rule, by the rule's name in the core and in its order. A new file in this folder is found."""
