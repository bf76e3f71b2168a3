"""Learning rates that follow a formula: callables of the number of steps taken, for any optimizer of this package.

Each schedule computes in float64, is immutable, has a readable repr, and can be compared, copied and pickled. Only
`ReduceOnPlateau` changes, when its `step` is called. A rate beyond float64 raises OverflowError. Most
arguments are those of ``torch.optim.lr_scheduler``, with the rate in place of the optimizer: ``StepLR(optimizer, 30)``
becomes ``lr=schedules.step(0.1, 30)``.
"""

from ._combined import per_epoch, warmup
from ._decays import constant, cosine, exponential, multistep, polynomial, step
from ._one_cycle import one_cycle
from ._plateau import ReduceOnPlateau

__all__ = [
    "ReduceOnPlateau",
    "constant",
    "cosine",
    "exponential",
    "multistep",
    "one_cycle",
    "per_epoch",
    "polynomial",
    "step",
    "warmup",
]
