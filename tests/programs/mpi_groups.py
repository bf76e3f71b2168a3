"""Groups that change, and arguments that an optimizer alone takes, on several ranks."""

import os
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from helpers.errors import raises
from helpers.mpi_ranks import comm
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad
from numpy_adagrad.mpi import Replicated, Sharded, ShardedTable
from scipy.sparse import csr_array

LAST = comm.size - 1
ORDER = (
    "rank 0: param_groups: expected the parameters of the constructor in their order, got others; "
    "change only options in the groups, or construct another optimizer"
)


def make() -> Sharded:
    groups = [{"params": {name: np.full(size, size, np.float32)}} for name, size in (("a", 16), ("b", 24))]
    return Sharded(TorchAdagrad, groups, comm, lr=0.5)


def check_changed_groups(path: str, change: Callable[[list[Any]], object]) -> None:
    """Other parameters, or another order, do not fit the division: nothing is read or written."""
    optimizer = make()
    optimizer.save(path)
    optimizer.step({"a": np.ones(16, np.float32), "b": np.ones(24, np.float32)})
    before = [array.copy() for array in optimizer.params.values()]
    groups = list(optimizer.param_groups)
    change(optimizer.param_groups)
    flat = [np.ones(size, np.float32) for size in (16, 24)]
    for call in (lambda: optimizer.step(flat), lambda: optimizer.save(path), lambda: optimizer.load(path)):
        raises(ValueError, ORDER, call)
    optimizer.param_groups[:] = groups
    assert all(map(np.array_equal, optimizer.params.values(), before))
    optimizer.load(path)
    assert [set(array.tolist()) for array in optimizer.params.values()] == [{16}, {24}]


def check_loaded_options(path: str) -> None:
    """A file with an option that slices cannot have is refused, before anything is changed."""
    group = {"params": [np.ones((4, 3), np.float32)]}
    if comm.rank == 0:
        MindSporeAdagrad([{**group, "grad_centralization": True}]).save(path, parameters=True)
    comm.Barrier()
    sliced = Sharded(MindSporeAdagrad, [group], comm)
    option = "param_groups[0]['grad_centralization']"
    text = f"rank 0: {path}: {option}: expected False, as it needs whole rows, got True"
    raises(ValueError, text, lambda: sliced.load(path))
    assert sliced.param_groups[0]["grad_centralization"] is False
    sliced.step([np.ones((4, 3), np.float32)])


def check_changed_table() -> None:
    table = ShardedTable(8, 2, comm, TorchAdagrad)
    table.param_groups.append({**table.param_groups[0], "params": [np.ones(3, np.float32)], "param_names": ["other"]})
    raises(ValueError, ORDER, lambda: table.step(RowSparse([1], np.ones((1, 2), np.float32))))


def check_arguments() -> None:
    rates = (0.5 / (step + 1) for step in range(5))
    listed = Sharded(MindSporeAdagrad, [np.zeros(3)], comm, learning_rate=rates)
    listed.step([np.ones(3)])
    assert listed.last_lr == [0.5]
    named = Sharded(TorchAdagrad, [{"params": [np.zeros(3)], "param_names": ["W"]}], comm)
    named.step({"W": np.ones(3)})
    assert list(named.params) == ["W"]
    raises(
        KeyError,
        "rank 0: param_groups: expected groups with an entry 'params', got the keys ['param']; did you mean 'params'?",
        lambda: Sharded(TorchAdagrad, [{"param": [np.zeros(3)]}], comm),
    )


def check_numbers_of_torch() -> None:
    """Tensors are compared by their values, not by their text, which is rounded."""
    optimizer = Replicated(TorchAdagrad([np.zeros(3)]), comm)
    same: Any = torch.tensor(2.0) if comm.rank else 2.0
    optimizer.step([np.ones(3)], grad_scale=same)
    near: Any = torch.tensor(0.5 + 1e-9 * (comm.rank == LAST), dtype=torch.float64)
    if comm.size > 1:
        text = f"max_norm: expected the same on every rank, got 0.5 on rank 0 and 0.500000001 on rank {LAST}"
        raises(ValueError, text, lambda: optimizer.step([np.ones(3)], max_norm=near))
        text = f"debug: expected the same on every rank, got False on rank 0 and True on rank {LAST}"
        raises(ValueError, text, lambda: Replicated(TorchAdagrad([np.zeros(3)]), comm, debug=comm.rank == LAST))


def check_elements_of_a_half_type() -> None:
    """SciPy makes no arrays of float16, but takes one as `data`."""
    elements = csr_array(np.eye(3, 2, dtype=np.float32))
    elements.data = elements.data.astype(np.float16)
    alone, together = (np.zeros((3, 2), np.float16) for _ in range(2))
    TorchAdagrad([alone]).step([elements])
    Replicated(TorchAdagrad([together]), comm).step([elements])
    assert together.tobytes() == alone.tobytes() != bytes(alone.nbytes)


def check_freed_communicator() -> None:
    own = comm.Dup()
    optimizer = Replicated(TorchAdagrad([np.zeros(3)]), own)
    own.Free()
    text = "Replicated.step: expected a communicator, got one that has been freed"
    raises(ValueError, text, lambda: optimizer.step([np.ones(3)]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(comm.bcast(folder), "run.safetensors")
        check_changed_groups(file, lambda groups: groups.reverse())
        check_changed_groups(file, lambda groups: groups.pop())
        other = {"params": [np.ones(3, np.float32)], "param_names": ["other"]}
        check_changed_groups(file, lambda groups: groups.append({**groups[0], **other}))
        check_loaded_options(file)
        comm.Barrier()
    check_changed_table()
    check_arguments()
    check_numbers_of_torch()
    check_elements_of_a_half_type()
    check_freed_communicator()
    if comm.rank == 0:
        print("groups")
