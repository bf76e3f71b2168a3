"""Who steps: each candidate takes a workload, parameters and gradients, and makes a function that steps once.

All but optax and MindSpore move the same arrays, and every accumulator of theirs is memory from NumPy (torch's own may
have pages of another size): what differs is the code alone.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from .. import MindSporeAdagrad, TorchAdagrad, _core
from ..inputs.types import Array
from .row_workloads import Table
from .workloads import Workload

# Whose distribution has another name.
DISTRIBUTIONS = {"fbgemm_gpu": "fbgemm-gpu-cpu"}
# Both exact in bfloat16 too, so that torch's bits can be asked for there: elsewhere it rounds them.
LR = 2.0**-7
EPS = 2.0**-33
ACCUM = 0.1  # where accumulators start for MindSpore and optax
# From here on numba's loop is shared among threads. With fewer elements a sensible user would not.
NUMBA_SHARES = 10_000

Arrays = list[Array]


class Stepper(NamedTuple):
    """A step, and where it has taken its parameters if those are not the arrays that it was given."""

    step: Callable[[], object]
    own_params: Callable[[], Arrays] | None = None


def floor(workload: Workload, params: Arrays, grads: Arrays) -> Stepper:
    """No optimizer but the package's loop with next to no arithmetic: the time that memory alone takes."""
    still = [np.broadcast_to(np.zeros((), p.dtype), p.shape) for p in params]
    return Stepper(floor_step(params, zeros(workload), still, grads))


def floor_step(params: Arrays, sums: Arrays, still: list[Any], grads: list[Any]) -> Callable[[], object]:
    """Step with the gradients, after a first step with those that move nothing."""
    groups = [{"params": params}]
    roles = ("params", "state_sums", "grads", "")
    plan = _core.Plan("memory_bound", groups, sums, [], (), roles, np.zeros(len(params), np.int32))
    # After this step, the plan finds nothing changed but the gradients, as that of an optimizer does.
    plan.try_step(groups, still, no_hyperparameters)
    return partial(plan.try_step, groups, grads, no_hyperparameters)


def no_hyperparameters(index: int, steps: int) -> dict[str, Any]:
    return {}


def torch_rule(workload: Workload, params: Arrays, grads: Arrays) -> Stepper:
    optimizer = TorchAdagrad(params, lr=LR, eps=EPS, state_dtype=workload.state_dtype)
    return Stepper(partial(optimizer.step, grads, **step_options(workload)))


def mindspore_rule(workload: Workload, params: Arrays, grads: Arrays) -> Stepper:
    optimizer = MindSporeAdagrad(params, accum=ACCUM, learning_rate=LR, state_dtype=workload.state_dtype)
    return Stepper(partial(optimizer.step, grads, **step_options(workload)))


def naive_numpy(workload: Workload, params: Arrays, grads: Arrays) -> Stepper:
    sums = zeros(workload)

    def step() -> None:
        for p, s, g in zip(params, sums, grads, strict=True):
            s += g * g
            p -= LR * g / (np.sqrt(s) + EPS)

    return Stepper(step)


def torch_itself(workload: Workload, params: Arrays, grads: Arrays, **implementation: bool) -> Stepper:
    import torch

    def shared(array: Array) -> Any:
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    tensors = [shared(p) for p in params]
    optimizer = torch.optim.Adagrad(tensors, lr=LR, eps=EPS, **implementation)
    for tensor, g, s in zip(tensors, grads, zeros(workload), strict=True):
        # Clipping writes to the gradients; those of the others stay as they are.
        tensor.grad = shared(g if workload.max_norm is None else g.copy())
        optimizer.state[tensor]["sum"] = shared(s)
    if workload.max_norm is None:
        return Stepper(optimizer.step)

    def clipped_step() -> None:
        torch.nn.utils.clip_grad_norm_(tensors, workload.max_norm)
        optimizer.step()

    return Stepper(clipped_step)


def numba_loop(workload: Workload, params: Arrays, grads: Arrays) -> Stepper:
    alone, shared = compiled_loops()
    calls = [
        partial(alone if p.size < NUMBA_SHARES else shared, p.reshape(-1), s.reshape(-1), g.reshape(-1))
        for p, s, g in zip(params, zeros(workload), grads, strict=True)
    ]
    lr, eps = np.float32(LR), np.float32(EPS)

    def step() -> None:
        for call in calls:
            call(lr, eps)

    return Stepper(step)


@cache
def compiled_loops() -> tuple[Any, ...]:
    """The obvious loop, compiled for one thread and for many."""
    numba = imported_numba()

    def loop(p: Any, s: Any, g: Any, lr: Any, eps: Any) -> None:
        for i in numba.prange(p.size):
            s[i] += g[i] * g[i]
            p[i] -= lr * g[i] / (np.sqrt(s[i]) + eps)

    return tuple(numba.njit(parallel=parallel, error_model="numpy")(loop) for parallel in (False, True))


def imported_numba() -> Any:
    # numba starts as many threads as there are processors, whatever OMP_NUM_THREADS says, and raises the limit of
    # the OpenMP runtime that it has in common with the package.
    os.environ.setdefault("NUMBA_NUM_THREADS", str(_core.max_threads()))
    import numba

    return numba


def optax_jitted(workload: Workload, params: Arrays, grads: Arrays) -> Stepper:
    import jax
    import optax

    rule = optax.adagrad(LR, initial_accumulator_value=ACCUM)

    def update(held: Any, state: Any, grads: Any) -> Any:
        updates, state = rule.update(grads, state, held)
        return optax.apply_updates(held, updates), state

    jitted = jax.jit(update, donate_argnums=(0, 1))
    held, own_grads = [jax.numpy.array(p) for p in params], [jax.numpy.array(g) for g in grads]
    state = rule.init(held)

    def step() -> None:
        nonlocal held, state
        held, state = jax.block_until_ready(jitted(held, state, own_grads))

    return Stepper(step, lambda: [np.asarray(p) for p in held])


def mindspore_itself(workload: Workload, params: Arrays, grads: Arrays) -> Stepper:
    os.environ.setdefault("GLOG_v", "4")  # its first synchronize() calls it an error to be on a CPU, and works
    import mindspore

    mindspore.set_device("CPU")
    mindspore.set_context(mode=mindspore.PYNATIVE_MODE)
    own = [mindspore.Parameter(mindspore.Tensor(p.copy()), name=f"param{i}") for i, p in enumerate(params)]
    optimizer = mindspore.nn.Adagrad(own, accum=ACCUM, learning_rate=LR)
    tensors = tuple(mindspore.Tensor(g.copy()) for g in grads)

    def step() -> None:
        optimizer(tensors)
        mindspore.runtime.synchronize()

    return Stepper(step, lambda: [p.asnumpy() for p in own])


def zeros(workload: Workload) -> Arrays:
    return [np.zeros(shape, workload.state_dtype) for shape in workload.shapes]


def step_options(workload: Workload) -> dict[str, Any]:
    return {} if workload.max_norm is None else {"max_norm": workload.max_norm}


FUSED_KINDS = ("float32", "float64", "bfloat16", "clipped")
EVERY_KIND = (*FUSED_KINDS, "bfloat16/float32")


class Candidate(NamedTuple):
    """How a step is made, whose formula it follows, and where it takes part."""

    make: Callable[..., Stepper]
    rule: str
    modules: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("float32",)
    obeys_threads: bool = True
    twin: str = ""  # the candidate whose bits it must have

    def is_installed(self) -> bool:
        """Whether the modules that it needs are there; they are imported when it is made."""
        return all(find_spec(module) is not None for module in self.modules)


CANDIDATES = {
    "floor": Candidate(floor, "floor", kinds=EVERY_KIND),
    "TorchAdagrad": Candidate(torch_rule, "torch", kinds=EVERY_KIND, twin="torch-fused"),
    "MindSporeAdagrad": Candidate(mindspore_rule, "mindspore", kinds=EVERY_KIND, twin="MindSpore"),
    "NumPy": Candidate(naive_numpy, "torch"),
    "torch-default": Candidate(torch_itself, "torch", ("torch",)),
    "torch-foreach": Candidate(partial(torch_itself, foreach=True), "torch", ("torch",)),
    "torch-fused": Candidate(partial(torch_itself, fused=True), "torch", ("torch",), FUSED_KINDS),
    "numba": Candidate(numba_loop, "torch", ("numba",)),
    # Nothing sets the threads of these two reliably.
    "optax": Candidate(optax_jitted, "optax", ("jax", "optax"), obeys_threads=False),
    "MindSpore": Candidate(mindspore_itself, "mindspore", ("mindspore",), obeys_threads=False),
}


def participants(
    workload: Workload | Table, *, threads_set: bool = False, among: Mapping[str, Candidate] = CANDIDATES
) -> list[str]:
    """Who takes part in a workload; with `threads_set`, where all must keep to a number of threads."""
    return [
        name
        for name, candidate in among.items()
        if workload.kind in candidate.kinds
        and candidate.is_installed()
        and (candidate.obeys_threads or not threads_set)
    ]


def versions(among: Mapping[str, Candidate] = CANDIDATES) -> dict[str, str]:
    """The versions of all that is installed and may take part."""
    modules = [module for candidate in among.values() if candidate.is_installed() for module in candidate.modules]
    names = dict.fromkeys(DISTRIBUTIONS.get(module, module) for module in ("numpy-adagrad", "numpy", *modules))
    return {name: version(name) for name in names}
