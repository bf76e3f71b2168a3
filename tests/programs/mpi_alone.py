"""What the last rank of a job does alone, such as end early. `python tests/programs/mpi_alone.py CASE [KIND]`"""

import os
import signal
import sys
import time
from collections.abc import Callable, Container
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from helpers import mpi_cases
from helpers.errors import error_of
from helpers.mpi_ranks import comm
from mpi4py import MPI
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.mpi import Replicated, Sharded, ShardedTable, communicators

is_last = comm.rank == comm.size - 1


def arrays() -> dict[str, Any]:
    return {"W": np.ones((4, 3), np.float32), "b": np.ones(2, np.float32)}


def stepping() -> Callable[[], None]:
    """An optimizer's step, once taken."""
    optimizer = Replicated(TorchAdagrad(arrays()), comm)
    step = partial(optimizer.step, arrays())
    step()
    return step


def raise_alone() -> None:
    if is_last:
        raise ArithmeticError("only here")
    stepping()


def die() -> None:
    if is_last:
        os.kill(os.getpid(), signal.SIGKILL)
    stepping()()


def lack_memory(kind: str) -> None:
    """The last rank runs out of memory when the others cannot learn of it, and catches the error."""
    optimizer, step = mpi_cases.stepping(kind, comm)
    if is_last:
        vars(optimizer).update(step=lack, _update=lack)  # of all gradients, and of a part
    with suppress(MemoryError):
        step(max_norm=1.0)
    comm.Barrier()


def stop_half_way(action: str) -> None:
    """The last rank gets a signal between two parts of an update, and catches what that raises."""
    sharded = Sharded(TorchAdagrad, [np.zeros(64 * comm.size)], comm, bucket_size=1)
    add = sharded._averaging._add

    def add_and_stop(buffer: Array, number: int, skipped: Container[int]) -> int:
        if number == 2 and action == "interrupt":
            raise KeyboardInterrupt
        if number == 2:
            sharded.save("never written")
        return add(buffer, number, skipped)

    if is_last:
        vars(sharded._averaging)["_add"] = add_and_stop
    with suppress(BaseException):
        sharded.step([np.ones(64 * comm.size)])
    comm.Barrier()


def stop_waiting(kind: str) -> None:
    """The last rank gets a signal when it waits for the others to agree, and catches what that raises."""
    _, step = mpi_cases.stepping(kind, comm)
    signal.signal(signal.SIGALRM, interrupt)
    comm.Barrier()
    if is_last:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
    else:
        time.sleep(1)
    with suppress(KeyboardInterrupt):
        step()
    comm.Barrier()


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def fork() -> None:
    """A child of the last rank ends as a program does."""
    step = stepping()
    if is_last:
        child = os.fork()
        if child == 0:
            communicators._leave()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    step()


def lack(*_: Any, **options: Any) -> None:
    raise MemoryError("only here")


def raise_later() -> None:
    step = stepping()
    if is_last:
        raise ArithmeticError("only here")
    step()


def leave() -> None:
    """The program of the last rank ends while the others step."""
    step = stepping()
    if not is_last:
        step()


def leave_later() -> None:
    """The others call an optimizer when the last rank has long ended."""
    table = ShardedTable(5, 2, comm, TorchAdagrad)
    if not is_last:
        time.sleep(1)
        table.lookup([1])


def leave_with_status() -> None:
    step = stepping()
    sys.exit(3) if is_last else step()


def leave_program() -> None:
    """The others wait in a call of the program's own, of which no optimizer knows."""
    stepping()
    sys.exit(3) if is_last else comm.Barrier()


def finalize() -> None:
    """The last rank finalizes MPI itself, the others at their end."""
    stepping()
    if is_last:
        MPI.Finalize()


def leave_and_go_on() -> None:
    """The others catch the error, twice, and end normally."""
    step = stepping()
    if not is_last:
        for _ in range(2):
            kind, message = error_of(step)
            os.write(1, f"{kind.__name__}: {message}\n".encode())  # whole lines, although two ranks print


def own_messages() -> None:
    """The program calls a function of all ranks before a step on one of them and after it on the others."""
    step = stepping()
    counts = np.ones(1), np.empty(1)
    request = comm.Iallreduce(*counts) if is_last else None
    step()
    (request or comm.Iallreduce(*counts)).Wait()
    assert counts[1] == comm.size


def rate(*_: object) -> float:
    return 0.5


def options_in_another_order() -> None:
    """Options are the same in whatever order a group has them. What the rule does not read may differ."""
    schedule = partial(rate, object(), {"one", "two", "three"})
    options: list[tuple[str, Any]] = [("lr", schedule), ("weight_decay", 0.25), ("tags", {f"rank {comm.rank}"})]
    group: dict[str, Any] = {"params": arrays(), **dict(reversed(options) if is_last else options)}
    Replicated(TorchAdagrad([group]), comm)


def options_of_other_types() -> None:
    """The same numbers agree."""
    optimizer = Replicated(TorchAdagrad(arrays(), lr=1 if is_last else 1.0), comm)
    max_norm: Any = np.float32(2) if is_last else 2
    optimizer.step(arrays(), max_norm=max_norm, grad_scale=np.array(4.0) if is_last else 4)


def leave_parts() -> None:
    """Each rank is in several communicators; one of them is freed before the end."""
    parts: list[Any] = [comm.Split(comm.rank // 2), comm.Split(comm.rank % 2), comm.Dup()]
    for part in parts:
        Replicated(TorchAdagrad(arrays()), part)
    parts[2].Free()


def leave_between() -> None:
    """The last rank ends when the others still call an optimizer of another communicator than the first one."""
    parts: list[Any] = [comm, comm.Split(comm.rank // 2)]
    steps = [partial(Replicated(TorchAdagrad(arrays()), part).step, arrays()) for part in parts]
    for step in (*steps, *reversed(steps)):
        if is_last and step is steps[1]:
            return
        step()


if __name__ == "__main__":
    CASES: tuple[Callable[..., None], ...] = (
        raise_alone,
        die,
        lack_memory,
        stop_half_way,
        stop_waiting,
        fork,
        raise_later,
        leave,
        leave_later,
        leave_with_status,
        leave_program,
        finalize,
        leave_and_go_on,
        own_messages,
        options_in_another_order,
        options_of_other_types,
        leave_parts,
        leave_between,
    )
    {case.__name__: case for case in CASES}[sys.argv[1]](*sys.argv[2:])
