"""Training on several machines: the optimizers of this package on the ranks of an MPI communicator of mpi4py."""

from .replicated import Replicated
from .sharded import Sharded
from .table import ShardedTable

__all__ = ["Replicated", "Sharded", "ShardedTable"]
