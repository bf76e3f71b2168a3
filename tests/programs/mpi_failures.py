"""Something is wrong on the last rank. All ranks raise the same error; the first prints it, a line for each case."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from helpers.contents import snapshot
from helpers.mpi_cases import stepping
from helpers.mpi_ranks import comm
from mpi4py import MPI
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad, schedules
from numpy_adagrad.mpi import Replicated, Sharded, ShardedTable

nobody: Any = None
is_wrong = comm.rank == comm.size - 1


def params(length: int = 3, dtype: Any = np.float32) -> dict[str, Any]:
    return {"W": np.ones((4, length), dtype), "b": np.ones(2, np.float32)}


def construct(wrong: dict[str, Any] | None = None, **arguments: Any) -> Replicated:
    return Replicated(TorchAdagrad(params() if wrong is None else wrong, **arguments), comm)


MISSING = object()
RIGHT = np.ones((4, 3), np.float32)


def step(wrong: Any = RIGHT, debug: bool = False, change: Callable[[Any], None] | None = None, **options: Any) -> None:
    """The last rank steps with another gradient, or after a change."""
    optimizer = Replicated(TorchAdagrad(params(), lr=0.5), comm, debug=debug)
    if is_wrong and change is not None:
        change(optimizer.opt)
    before = snapshot(optimizer.opt)
    grads = {"W": wrong if is_wrong else RIGHT, "b": np.ones(2, np.float32)}
    if wrong is MISSING and is_wrong:
        del grads["W"]
    try:
        optimizer.step(grads, **options)
    finally:
        assert snapshot(optimizer.opt) == before


def step_sharded(wrong: Any, **options: Any) -> None:
    """The last rank steps a sharded optimizer with another gradient."""
    optimizer = Sharded(TorchAdagrad, params(), comm)
    before = [array.copy() for array in optimizer.params.values()], snapshot(optimizer._local)
    try:
        optimizer.step({"W": wrong if is_wrong else RIGHT, "b": np.ones(2, np.float32)}, **options)
    finally:
        assert all(map(np.array_equal, optimizer.params.values(), before[0]))
        assert snapshot(optimizer._local) == before[1]


def centralized(centralizes: bool) -> Sharded:
    group = {"params": [np.ones((4, 3), np.float32)], "grad_centralization": centralizes}
    return Sharded(MindSporeAdagrad, [group], comm)


def other_option(optimizer: Any) -> None:
    optimizer.param_groups[0]["lr"] = 0.25


def other_parameter(optimizer: Any) -> None:
    optimizer.param_groups[0]["params"][0][0, 0] = 7


def other_steps() -> None:
    optimizer = TorchAdagrad(params())
    if is_wrong:
        optimizer.step({"W": np.zeros((4, 3), np.float32), "b": np.zeros(2, np.float32)})
    Replicated(optimizer, comm)


def other_call() -> None:
    """The last rank saves while the others step."""
    optimizer = Sharded(TorchAdagrad, params(), comm)
    optimizer.save("never") if is_wrong else optimizer.step({"W": RIGHT, "b": np.ones(2, np.float32)})


def other_schedule() -> Replicated:
    return construct(lr=schedules.exponential(0.5, gamma=0.25 if is_wrong else 0.5))


@dataclass(slots=True)
class Rate:
    """A schedule without a `__dict__`."""

    start: float

    def __call__(self, step: int) -> float:
        return self.start / (1 + step)


def undecodable(start: int, stop: int) -> Any:
    return b"\xff".decode() if is_wrong else np.zeros((stop - start, 2), np.float32)


def exhausted(start: int, stop: int) -> Any:
    return next(iter([])) if is_wrong else np.zeros((stop - start, 2), np.float32)


def rows_in_a_list(start: int, stop: int) -> Any:
    rows = np.zeros((stop - start, 2), np.float32)
    return rows.tolist() if is_wrong else rows


def complex_rows(start: int, stop: int) -> Any:
    return np.zeros((stop - start, 2), np.complex64 if is_wrong else np.float32)


def table_in_a_file(call: Callable[[ShardedTable], object]) -> None:
    """The last rank's rows lie in a file that has been cut short."""
    with tempfile.NamedTemporaryFile() as file:
        table = ShardedTable(
            4 * comm.size, 2, comm, TorchAdagrad, create=lambda start, stop: new_file(file.name, (stop - start, 2))
        )
        if is_wrong:
            os.truncate(file.name, 0)
        call(table)


def new_file(path: str, shape: tuple[int, ...]) -> Any:
    return np.memmap(path, np.float32, "w+", shape=shape)


def params_in_a_file() -> None:
    with tempfile.NamedTemporaryFile() as file:
        param = new_file(file.name, (4, 3))
        if is_wrong:
            os.truncate(file.name, 0)
        Sharded(TorchAdagrad, [param], comm)


def replicated_file() -> None:
    with tempfile.NamedTemporaryFile() as file:
        optimizer = Replicated(TorchAdagrad([new_file(file.name, (4, 3))]), comm, debug=True)
        if is_wrong:
            os.truncate(file.name, 0)
        optimizer.step([RIGHT])


def fractional_steps() -> None:
    optimizer = Sharded(TorchAdagrad, params(), comm)
    if is_wrong:
        optimizer._local._slots[0].state["step"][...] = 0.5
    optimizer.save("never")


def failing_rate(step: int) -> float:
    raise ArithmeticError("only here")


def rate_of_a_later_step(kind: str, wrong: Any, **options: Any) -> None:
    """The last rank cannot read its rate in the second of three steps."""
    optimizer, step = stepping(kind, comm)
    step(**options)
    before = snapshot(optimizer)
    if is_wrong:
        optimizer.param_groups[0]["lr"] = wrong
    try:
        step(**options)
    finally:
        optimizer.param_groups[0]["lr"] = 0.5
        assert snapshot(optimizer) == before
        step(**options)
        assert optimizer.steps == 2


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ArithmeticError("no text")


class NamedError(Exception):
    """Its name is that of a function of Python."""


NamedError.__name__ = "print"


def raised(error: Exception) -> None:
    """The last rank's schedule raises an error."""

    def rate(step: int) -> float:
        if is_wrong:
            raise error
        return 0.5

    step(change=lambda optimizer: optimizer.param_groups[0].update(lr=rate))


def other_optimizer() -> None:
    """The last rank takes the optimizers in another order."""
    own = comm.Dup()
    optimizers = [Replicated(TorchAdagrad(params(), lr=0.5), own) for _ in range(2)]
    try:
        optimizers[is_wrong].step({"W": RIGHT, "b": np.ones(2, np.float32)})
    finally:
        assert all(optimizer.opt.steps == 0 for optimizer in optimizers)


def own_rate(step: int) -> float:
    return 0.25 if is_wrong else 0.5


def plateau() -> schedules.ReduceOnPlateau:
    """Each rank reports its own loss to it."""
    rate = schedules.ReduceOnPlateau(0.5, factor=0.5, patience=0)
    for loss in (1.0, 2.0 if is_wrong else 0.5):
        rate.step(loss)
    return rate


def own_values(kind: str, rate: Any) -> None:
    """The last rank's schedule has another value in the second step."""
    optimizer, step = stepping(kind, comm)
    step()
    optimizer.param_groups[0]["lr"] = rate
    before = snapshot(optimizer)
    try:
        step()
    finally:
        assert snapshot(optimizer) == before


RATES: dict[str, Callable[[], object]] = {
    f"{what}_{kind}{suffix}": partial(rate_of_a_later_step, kind, wrong, **options)
    for kind in ("replicated", "sharded", "table")
    for what, wrong in (("schedule", failing_rate), ("rate", "x"))
    for suffix, options in (("", {}), ("_norm", {"max_norm": 1.0}))
}
VALUES = {
    f"{what}_{kind}": partial(own_values, kind, rate)
    for kind in ("replicated", "sharded", "table")
    for what, rate in (("own_rate", own_rate), ("plateau", plateau()))
}
CASES: dict[str, Callable[[], object]] = {
    "shape": lambda: construct(params(5) if is_wrong else None),
    "dtype": lambda: construct(params(dtype=np.float64) if is_wrong else None),
    "option": lambda: construct(lr=0.5 if is_wrong else 0.25),
    "name": lambda: construct({"W": np.ones(3), "c" if is_wrong else "b": np.ones(2)}),
    "schedule": other_schedule,
    "own_schedule": lambda: construct(lr=Rate(0.25 if is_wrong else 0.5)),
    "undecodable": lambda: ShardedTable(8, 2, comm, TorchAdagrad, create=undecodable),
    "exhausted": lambda: ShardedTable(8, 2, comm, TorchAdagrad, create=exhausted),
    "file_lookup": lambda: table_in_a_file(lambda table: table.lookup([0])),
    "file_step": lambda: table_in_a_file(lambda table: table.step(RowSparse([0], np.ones((1, 2), np.float32)))),
    "file_sharded": params_in_a_file,
    "file_replicated": replicated_file,
    "fractional_steps": fractional_steps,
    "value": lambda: construct({"W": np.full(3, float(is_wrong)), "b": np.ones(2)}),
    "number": lambda: construct({"W": np.ones(3)} if is_wrong else None),
    "steps": other_steps,
    "bucket": lambda: Replicated(TorchAdagrad(params()), comm, bucket_size=0 if is_wrong else 64),
    "no_optimizer": lambda: Replicated(None if is_wrong else TorchAdagrad(params()), comm),  # type: ignore[arg-type]
    "grad_shape": lambda: step(np.ones((4, 2), np.float32)),
    "grad_dtype": lambda: step(np.ones((4, 3), np.float16)),
    "grad_cast": lambda: step(np.ones((4, 3), np.float64)),
    "grad_int": lambda: step(np.ones((4, 3), np.int32)),
    "grad_order": lambda: step(np.ones((4, 3), ">f4")),
    "grad_mask": lambda: step(np.ma.ones((4, 3), np.float32)),
    "grad_none": lambda: step(None),
    "grad_missing": lambda: step(MISSING),
    "grad_sparse": lambda: step(RowSparse([1], np.ones((1, 3), np.float32))),
    "grad_row": lambda: step(RowSparse([4], np.ones((1, 3), np.float32))),
    "grad_kind": lambda: step("a gradient"),
    "step_option": lambda: step(max_norm=1.0 if is_wrong else 2.0),
    "debug_option": lambda: step(debug=True, change=other_option),
    "debug_value": lambda: step(debug=True, change=other_parameter),
    "tied": lambda: Sharded(TorchAdagrad, [RIGHT, RIGHT], comm),
    "overlapping": lambda: Sharded(TorchAdagrad, {"a": RIGHT[:3], "b": RIGHT[2:]}, comm),
    "sharded_value": lambda: Sharded(TorchAdagrad, [np.full(3, float(is_wrong))], comm),
    "sharded_option": lambda: Sharded(TorchAdagrad, params(), comm, lr=0.5 if is_wrong else 0.25),
    "sharded_argument": lambda: Sharded(TorchAdagrad, params(), comm, lr=-1 if is_wrong else 0.25),
    "sharded_accum": lambda: Sharded(MindSporeAdagrad, params(), comm, accum=0.2 if is_wrong else 0.1),
    "table_accum": lambda: ShardedTable(8, 2, comm, MindSporeAdagrad, accum=0.2 if is_wrong else 0.1),
    "sharded_centralization": lambda: centralized(is_wrong),
    "sharded_order": lambda: Sharded(MindSporeAdagrad, [{"params": [RIGHT]}, {"order_params": [RIGHT]}], comm),
    "sharded_grad_shape": lambda: step_sharded(np.ones((4, 2), np.float32)),
    "sharded_grad_dtype": lambda: step_sharded(np.ones((4, 3), np.float16)),
    "sharded_grad_sparse": lambda: step_sharded(RowSparse([1], np.ones((1, 3), np.float32))),
    "sharded_grad_none": lambda: step_sharded(None),
    "sharded_call": other_call,
    "sharded_step_option": lambda: step_sharded(RIGHT, on_nonfinite="stop"),
    **RATES,
    **VALUES,
    "unprintable": lambda: raised(UnprintableError()),
    "print": lambda: raised(NamedError("only here")),
    "other_optimizer": other_optimizer,
    "sharded_class": lambda: Sharded(TorchAdagrad(params()), params(), comm, lr=0.5),  # type: ignore[arg-type]
    "table_class": lambda: ShardedTable(8, 2, comm, dict),  # type: ignore[arg-type]
    "table_list": lambda: ShardedTable(8, 2, comm, TorchAdagrad, create=rows_in_a_list),
    "table_complex": lambda: ShardedTable(8, 2, comm, TorchAdagrad, create=complex_rows),
    "no_communicator": lambda: Replicated(TorchAdagrad(params()), nobody),
    "null_communicator": lambda: Replicated(TorchAdagrad(params()), comm.Split(MPI.UNDEFINED)),  # type: ignore[arg-type]
    "wrong_everywhere": lambda: step(grad_scale=-1),
}

if __name__ == "__main__":
    for name, call in CASES.items():
        try:
            call()
        except Exception as error:
            messages = comm.allgather(f"{type(error).__name__}: {error}")
            assert set(messages) == {messages[0]}
            if comm.rank == 0:
                print(f"{name}: {messages[0]}")
        else:
            raise AssertionError(f"{name}: no error")
