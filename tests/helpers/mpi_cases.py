"""Optimizers, the gradients of all ranks, and their means in one process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from helpers.bits import assert_same_bits, reals
from helpers.dialects import DIALECTS, Dialect
from helpers.errors import error_of
from helpers.values import draw
from numpy_adagrad import RowSparse, TorchAdagrad
from numpy_adagrad.inputs.types import Array
from numpy_adagrad.mpi import Replicated, Sharded, ShardedTable
from numpy_adagrad.optimizers._base import Optimizer
from scipy.sparse import coo_array

SHAPES: dict[str, tuple[int, ...]] = {"W": (7, 30), "b": (), "empty": (0, 3), "gamma": (129,), "big": (60, 50)}
STEPS = 3
SMALL_BUCKET = 1500  # bytes: so that there are several, which begin and end inside of parameters


@dataclass(frozen=True)
class Case:
    """A few steps of one rule with some options and kind of values."""

    dialect: Dialect
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    kind: str = "normal"
    options: dict[str, Any] = field(default_factory=dict)
    group: dict[str, Any] = field(default_factory=dict)
    scaling: dict[str, Any] = field(default_factory=dict)

    def params(self) -> dict[str, Array]:
        rng = np.random.default_rng(0)
        return {name: draw(rng, shape, self.dtype, "normal").copy() for name, shape in SHAPES.items()}

    def form(self, params: dict[str, Array]) -> Any:
        """The parameters by name, or in two groups if the case has options of a group."""
        if not self.group:
            return params
        items = list(params.items())
        return [{"params": dict(items[:2]), **self.group}, {"params": dict(items[2:])}]

    def grads(self, rank: int, step: int) -> list[Array | None]:
        """The gradients of a rank: some in another layout, and in the second step one that is missing."""
        rng = np.random.default_rng([rank, step])
        grads: list[Array | None] = [draw(rng, shape, self.dtype, self.kind) for shape in SHAPES.values()]
        grads[0] = np.asfortranarray(grads[0])
        return [None, *grads[1:]] if step == 1 else grads


def dense_cases() -> Iterator[Case]:
    """All dtypes with all kinds of values, and all options of each rule."""
    for dialect in DIALECTS.values():
        names = ["float16", "bfloat16", "float32", "float64", *(["complex64"] if dialect.takes_complex else [])]
        for dtype in (np.dtype(name) for name in names):
            for kind in ("wide", "awkward", "bits"):
                yield Case(dialect, dtype, kind)
        for options, group in dialect.variants:
            yield Case(dialect, options=options, group=group)
        yield Case(dialect, options={dialect.rate: falling})
        yield Case(dialect, scaling={"grad_scale": 3.0})


def falling(step: int) -> float:
    return 0.5 / (1 + step)


@np.errstate(all="ignore")
def mean(grads: Sequence[Array]) -> Array:
    """The sum in the order given, and one division; real and imaginary parts apart."""
    total = reals(grads[0]).copy()
    for grad in grads[1:]:
        total = total + reals(grad)
    whole: Array = (total / total.dtype.type(len(grads))).view(grads[0].dtype).reshape(grads[0].shape)
    return whole


def means(case: Case, ranks: int, step: int) -> list[Array | None]:
    by_rank = [case.grads(rank, step) for rank in range(ranks)]
    return [None if grads[0] is None else mean(grads) for grads in zip(*by_rank, strict=True)]


def rows(case: Case, rank: int) -> RowSparse:
    """A gradient of some rows of "W"; that of rank 0 has none."""
    rng = np.random.default_rng(rank)
    count = 9 * rank
    indices = rng.integers(0, SHAPES["W"][0], count)
    return RowSparse(indices, draw(rng, (count, SHAPES["W"][1]), case.dtype, case.kind))


def elements(case: Case, rank: int) -> Any:
    """A sparse array of SciPy in the shape of "W", some of whose elements are stored twice."""
    rng = np.random.default_rng(rank)
    places = [rng.integers(0, size, 40) for size in SHAPES["W"]]
    return coo_array((draw(rng, 40, case.dtype, case.kind), places), SHAPES["W"])


@np.errstate(all="ignore")
def row_mean(grads: Sequence[RowSparse]) -> RowSparse:
    """The sum of each row, by rank and then as given, and one division."""
    sums: dict[int, Array] = {}
    for grad in grads:
        for index, row in zip(grad.indices.tolist(), grad.values, strict=True):
            sums[index] = sums[index] + row if index in sums else row
    values = np.array([*sums.values()], grads[0].values.dtype).reshape(len(sums), *grads[0].values.shape[1:])
    return RowSparse(np.array([*sums], np.int64), values / values.dtype.type(len(grads)))


@np.errstate(all="ignore")
def element_mean(grads: Sequence[Any]) -> Any:
    sums: dict[tuple[int, int], Any] = {}
    for grad in grads:
        for place, value in zip(zip(*map(list, grad.coords), strict=True), grad.data, strict=True):
            sums[place] = sums[place] + value if place in sums else value
    values = np.array([*sums.values()], grads[0].dtype) / grads[0].dtype.type(len(grads))
    return coo_array((values, tuple(np.array([*sums]).T)), grads[0].shape)


def assert_same_state(actual: Optimizer, expected: Optimizer, context: object) -> None:
    """Parameters, accumulators and counters have the same bits."""
    assert actual.steps == expected.steps, context
    for one, other in zip(actual._slots, expected._slots, strict=True):
        assert_same_bits(one.param, other.param, str(context))
        for key, array in other.state.items():
            assert_same_bits(one.state[key], array, f"{context}: {key}")


def assert_same_sharded(comm: Any, sharded: Sharded, expected: Optimizer, context: object) -> None:
    """The parameters, and the accumulators of all ranks end to end, have the same bits."""
    assert sharded.steps == expected.steps, context
    key = expected._accumulator
    parts = comm.allgather([slot.state[key] for slot in sharded._local._slots])
    accumulators = [np.concatenate(own) for own in zip(*parts, strict=True)]
    params = sharded.params.values() if isinstance(sharded.params, dict) else sharded.params
    for slot, param, accumulator in zip(expected._slots, params, accumulators, strict=True):
        assert_same_bits(param, slot.param, str(context))
        assert_same_bits(accumulator, slot.state[key].reshape(-1), f"{context}: {key}")


def stepping(kind: str, comm: Any) -> tuple[Optimizer, Callable[..., None]]:
    """This rank's own optimizer in one of `numpy_adagrad.mpi`, and a step with fixed gradients."""
    ones = np.ones((4 * comm.size, 3), np.float32)
    if kind == "table":
        table = ShardedTable(4 * comm.size, 3, comm, TorchAdagrad, lr=0.5)
        return table._local, partial(table.step, RowSparse(np.arange(4 * comm.size), ones))
    if kind == "sharded":
        sharded = Sharded(TorchAdagrad, [ones.copy()], comm, lr=0.5)
        return sharded._local, partial(sharded.step, [ones])
    own = TorchAdagrad([ones.copy(), ones.copy()], lr=0.5)
    return own, partial(Replicated(own, comm).step, [ones, RowSparse([1], ones[:1])])


def error_of_all(comm: Any, action: Callable[[], object]) -> str:
    """The error that the action raises on every rank."""
    kind, text = error_of(action)
    messages = comm.allgather(f"{kind.__name__}: {text}")
    assert messages == messages[:1] * comm.size
    return str(messages[0])


def exact_case(rule: str) -> Case:
    dialect = DIALECTS[rule]
    return Case(dialect, np.dtype(np.float64), options={dialect.rate: falling})


def exact_grads(rule: str, step: int) -> list[Array | None]:
    """Gradients whose mean over any number of ranks that all have them is exact: float64 adds float32 exactly."""
    grads = exact_case(rule).grads(0, step)
    return [None if grad is None else grad.astype(np.float32).astype(np.float64) for grad in grads]


def run_alone(rule: str, steps: int) -> Any:
    """The optimizer of one process after `steps` steps."""
    case = exact_case(rule)
    alone = case.dialect.make(case.form(case.params()), **case.options)
    for step in range(steps):
        alone.step(exact_grads(rule, step))
    return alone
