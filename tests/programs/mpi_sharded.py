"""Sharded optimizers have the bits of replicated ones and of one process; norms are the same on every rank."""

import copy
import math
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import numpy as np
from helpers.dialects import DIALECTS, Dialect
from helpers.errors import raises
from helpers.mpi_cases import SMALL_BUCKET, STEPS, Case, assert_same_sharded, dense_cases, mean, means
from helpers.mpi_ranks import comm
from helpers.values import normal
from numpy_adagrad import TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.mpi import Replicated, Sharded
from numpy_adagrad.mpi.averaging import Averaging
from numpy_adagrad.mpi.communicators import duplicate, has_links
from numpy_adagrad.mpi.layout import Layout


def sharded_of(case: Case) -> Sharded:
    options: dict[str, Any] = {"bucket_size": np.uint16(SMALL_BUCKET), **case.dialect.common, **case.options}
    return Sharded(case.dialect.optimizer, case.form(case.params()), comm, debug=True, **options)


def check_steps(case: Case) -> None:
    sharded = sharded_of(case)
    one, alone = (case.dialect.make(case.form(case.params()), **case.options) for _ in range(2))
    replicated = Replicated(one, comm)
    for step in range(STEPS):
        sharded.step(case.grads(comm.rank, step), **case.scaling)
        replicated.step(case.grads(comm.rank, step), **case.scaling)
        alone.step(means(case, comm.size, step), **case.scaling)
        assert_same_sharded(comm, sharded, replicated.opt, (case, step))
        assert_same_sharded(comm, sharded, alone, (case, step))


def check_clipping(case: Case) -> None:
    """The norm is the root of the sum of the squares of the ranks'; given that norm, one process has the same bits."""
    sharded = sharded_of(case)
    given = case.dialect.make(case.form(case.params()), **case.options)
    for step in range(STEPS):
        grads = means(case, comm.size, step)
        own = copy.deepcopy(sharded._local)
        buffer = sharded._layout.new_buffer()
        for array, grad in zip(sharded._layout.arrays(buffer), grads, strict=True):
            array[...] = 0 if grad is None else grad
        parts = sharded._layout.parts(buffer, comm.rank)
        own.step([None if grad is None else part for part, grad in zip(parts, grads, strict=True)], **case.scaling)
        sharded.step(case.grads(comm.rank, step), **case.scaling)
        norm = sharded.grad_norm
        assert norm == math.sqrt(sum(part * part for part in comm.allgather(own.grad_norm)))
        assert comm.allgather(norm) == [norm] * comm.size
        scaling = {"grad_scale": None, "on_nonfinite": "propagate", **case.scaling}
        given._step_part(grads, total_norm=lambda _, norm=norm: norm, **scaling)
        assert_same_sharded(comm, sharded, given, (case, step))


def check_schedules(dialect: Dialect) -> None:
    """A step calls a schedule once, with or without clipping."""
    calls: list[int] = []

    def schedule(step: int) -> float:
        calls.append(step)
        return 0.5 / (1 + step)

    options: dict[str, Any] = dialect.common | {dialect.rate: schedule}
    sharded = Sharded(dialect.optimizer, [normal(9, 20), normal(70)], comm, bucket_size=1, **options)
    own = dialect.optimizer([normal(9, 20), normal(70)], **options)
    grads = [normal(9, 20), normal(70)]
    for step, optimizer in ((sharded.step, sharded), (Replicated(own, comm).step, own)):
        for count, max_norm in enumerate([None, 0.5, 0.5, None]):
            calls.clear()
            step(grads, max_norm=max_norm)
            assert calls == [count]
            assert optimizer.last_lr == [0.5 / (1 + count)]
            assert optimizer.steps == count + 1


def check_skipping(case: Case) -> None:
    """One value that is not finite, on one rank, stops the step of all."""
    sharded = sharded_of(case)
    alone = case.dialect.make(case.form(case.params()), **case.options)
    grads = case.grads(comm.rank, 0)
    if comm.rank == comm.size - 1 and grads[-1] is not None:
        grads[-1].flat[-1] = np.inf
    sharded.step(grads, on_nonfinite="skip")
    assert sharded.skipped_steps == 1
    message = "grads: expected finite values, got a norm of inf"
    raises(FloatingPointError, message, lambda: sharded.step(grads, on_nonfinite="raise"))
    assert_same_sharded(comm, sharded, alone, case)


def check_forms(dialect: Dialect) -> None:
    """Other forms of parameters, a group with its own rate, and a rate that changes between steps."""
    rate = dialect.group_rate
    shapes = [(9, 20), (70,), (3,)]
    forms: list[Callable[[list[Array]], Any]] = [
        lambda arrays: arrays,
        lambda arrays: arrays[0],
        lambda arrays: {"layer": {"W": arrays[0], "b": arrays[1]}, "c": arrays[2]},
        lambda arrays: [{"params": arrays[:2], rate: 0.25}, {"params": arrays[2:]}],
        lambda arrays: [{"params": {"W": arrays[0]}, rate: 0.25}, {"params": {"b": arrays[1], "c": arrays[2]}}],
    ]
    if dialect.optimizer is TorchAdagrad:  # names need not be text
        forms.append(lambda arrays: {("layer", 0): arrays[0], 1: arrays[1], "c": arrays[2]})
    for form in forms:
        options: dict[str, Any] = {dialect.rate: 0.5}
        sharded = Sharded(dialect.optimizer, form([normal(*shape) for shape in shapes]), comm, bucket_size=1, **options)
        alone = dialect.optimizer(form([normal(*shape) for shape in shapes]), **options)
        for step in range(2):
            by_rank = [
                [normal(*shape, seed=10 * step + rank) for shape in shapes[: len(alone.state)]]
                for rank in range(comm.size)
            ]
            own = by_rank[comm.rank]
            sharded.step(form(own) if isinstance(form(own), np.ndarray) else own)
            alone.step([mean(grads) for grads in zip(*by_rank, strict=True)])
            assert_same_sharded(comm, sharded, alone, step)
            for optimizer in (sharded, alone):
                optimizer.param_groups[0][rate] = 0.125


def check_shares() -> None:
    """The accumulators of a rank take 1/n of the memory, but for a cache line."""
    shapes = [(300, 70), (11,), (20_001,)]
    for dialect in DIALECTS.values():
        sharded = Sharded(dialect.optimizer, [np.zeros(shape, np.float32) for shape in shapes], comm)
        sizes = comm.allgather(sum(slot.state[dialect.optimizer._accumulator].nbytes for slot in sharded._local._slots))
        total = 4 * sum(math.prod(shape) for shape in shapes)
        assert sum(sizes) == total
        assert max(sizes) <= total / comm.size + 64 * len(shapes)
        assert all(abs(size * comm.size / total - 1) < 0.01 for size in sizes)


def check_buffers() -> None:
    """A rank never sends from the address at which it receives: Open MPI takes that for a message sent in place."""
    averaging = Averaging(duplicate(comm), Layout([((1000,), np.dtype(np.float32))], comm.size), bucket_size=1)
    buffer = averaging._layout.new_buffer()
    averaging._comm = Mock(rank=comm.rank, size=comm.size)
    for number in range(len(averaging.buckets)):
        averaging._start_collecting(buffer, number)
    starts = [[data.ctypes.data for data, *_ in call.args] for call in averaging._comm.Ialltoallv.call_args_list]
    assert len(starts) > 10
    assert all(sent != received for sent, received in starts)


cases = [case for case in dense_cases() if not case.group.get("grad_centralization")]
assert len(cases) > 30
for case in cases:
    check_steps(case)
for dialect in DIALECTS.values():
    check_clipping(Case(dialect, scaling={"max_norm": 0.5}))
    check_clipping(Case(dialect, np.dtype(np.float16), scaling={"max_norm": 0.5, "grad_scale": 3.0}))
    check_clipping(Case(dialect, scaling={"max_norm": 1e6, "on_nonfinite": "skip"}))
    check_skipping(Case(dialect))
    check_forms(dialect)
    check_schedules(dialect)
check_shares()
if comm.size > 1:
    check_buffers()
comm.Barrier()
if comm.rank == 0:
    print(f"{comm.size} ranks, {1 + has_links(duplicate(comm))} machines: same bits")
