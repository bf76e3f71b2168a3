"""The optimizers: one file for each rule of the core, on a common base."""

from importlib import import_module
from pkgutil import iter_modules

from ._base import Optimizer

for _module in iter_modules(__path__):
    if not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")

OPTIMIZERS: dict[str, type[Optimizer]] = {optimizer._rule: optimizer for optimizer in Optimizer.__subclasses__()}
"""The optimizer of each rule, by the rule's name in the core. A new file in this folder is found by itself."""
