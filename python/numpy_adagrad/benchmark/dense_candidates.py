"""Candidates for dense gradients. Each takes a workload, parameters and gradients and returns a step.

All candidates but optax and MindSpore update the same arrays, and all accumulators are memory from NumPy: torch's own
may have pages of another size. So only the code differs.
"""

import os
from functools import cache, partial
from typing import Any

import numpy as np

from ..inputs.types import Array
from ..optimizers import OPTIMIZERS
from .candidates import MEMORY_BOUND, OWN_RULES, Candidate, Step, import_numba, make_own, memory_bound_step
from .dense_workloads import DenseWorkload
from .formulas import EPS, INITIAL, LR

# numba's loop uses several threads for at least this many elements; for fewer a single thread is faster.
NUMBA_PARALLEL = 10_000

Arrays = list[Array]


def memory_bound(workload: DenseWorkload, params: Arrays, grads: Arrays) -> Step:
    zero_grads = [np.broadcast_to(np.zeros((), p.dtype), p.shape) for p in params]
    return Step(memory_bound_step(params, zeros(workload), zero_grads, grads))


def own_optimizer(rule: str, workload: DenseWorkload, params: Arrays, grads: Arrays) -> Step:
    optimizer = make_own(rule, params, state_dtype=workload.state_dtype)
    options: dict[str, Any] = {} if workload.max_norm is None else {"max_norm": workload.max_norm}
    return Step(partial(optimizer.step, grads, **options))


def numpy_loop(workload: DenseWorkload, params: Arrays, grads: Arrays) -> Step:
    sums = zeros(workload)

    def step() -> None:
        for p, s, g in zip(params, sums, grads, strict=True):
            s += g * g
            p -= LR * g / (np.sqrt(s) + EPS)

    return Step(step)


def torch_optimizer(workload: DenseWorkload, params: Arrays, grads: Arrays, **implementation: bool) -> Step:
    import torch

    def as_tensor(array: Array) -> Any:
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    tensors = [as_tensor(p) for p in params]
    optimizer = torch.optim.Adagrad(tensors, lr=LR, eps=EPS, **implementation)
    for tensor, g, s in zip(tensors, grads, zeros(workload), strict=True):
        # torch's clipping overwrites the gradients, which the other candidates need.
        tensor.grad = as_tensor(g if workload.max_norm is None else g.copy())
        optimizer.state[tensor]["sum"] = as_tensor(s)
    if workload.max_norm is None:
        return Step(optimizer.step)

    def clipped_step() -> None:
        torch.nn.utils.clip_grad_norm_(tensors, workload.max_norm)
        optimizer.step()

    return Step(clipped_step)


def numba_loop(workload: DenseWorkload, params: Arrays, grads: Arrays) -> Step:
    serial, parallel = compiled_loops()
    calls = [
        partial(serial if p.size < NUMBA_PARALLEL else parallel, p.reshape(-1), s.reshape(-1), g.reshape(-1))
        for p, s, g in zip(params, zeros(workload), grads, strict=True)
    ]
    lr, eps = np.float32(LR), np.float32(EPS)

    def step() -> None:
        for call in calls:
            call(lr, eps)

    return Step(step)


@cache
def compiled_loops() -> tuple[Any, ...]:
    """Return the straightforward loop, compiled for one thread and for several."""
    numba = import_numba()

    def loop(p: Any, s: Any, g: Any, lr: Any, eps: Any) -> None:
        for i in numba.prange(p.size):
            s[i] += g[i] * g[i]
            p[i] -= lr * g[i] / (np.sqrt(s[i]) + eps)

    return tuple(numba.njit(parallel=parallel, error_model="numpy")(loop) for parallel in (False, True))


def optax_optimizer(workload: DenseWorkload, params: Arrays, grads: Arrays) -> Step:
    import jax
    import optax

    rule = optax.adagrad(LR, initial_accumulator_value=INITIAL)

    def update(own_params: Any, state: Any, grads: Any) -> Any:
        updates, state = rule.update(grads, state, own_params)
        return optax.apply_updates(own_params, updates), state

    jitted = jax.jit(update, donate_argnums=(0, 1))
    own_params, own_grads = [jax.numpy.array(p) for p in params], [jax.numpy.array(g) for g in grads]
    state = rule.init(own_params)

    def step() -> None:
        nonlocal own_params, state
        own_params, state = jax.block_until_ready(jitted(own_params, state, own_grads))

    return Step(step, lambda: [np.asarray(p) for p in own_params])


def mindspore_optimizer(workload: DenseWorkload, params: Arrays, grads: Arrays) -> Step:
    # On a CPU the first synchronize() works, but logs an error.
    os.environ.setdefault("GLOG_v", "4")
    import mindspore

    mindspore.set_device("CPU")
    mindspore.set_context(mode=mindspore.PYNATIVE_MODE)
    own_params = [mindspore.Parameter(mindspore.Tensor(p.copy()), name=f"param{i}") for i, p in enumerate(params)]
    optimizer = mindspore.nn.Adagrad(own_params, accum=INITIAL, learning_rate=LR)
    tensors = tuple(mindspore.Tensor(g.copy()) for g in grads)

    def step() -> None:
        optimizer(tensors)
        mindspore.runtime.synchronize()

    return Step(step, lambda: [p.asnumpy() for p in own_params])


def zeros(workload: DenseWorkload) -> Arrays:
    return [np.zeros(shape, workload.state_dtype) for shape in workload.shapes]


FUSED_KINDS = ("float32", "float64", "bfloat16", "clipped")
EVERY_KIND = (*FUSED_KINDS, "bfloat16/float32")
REFERENCES = {"torch": "torch-fused", "mindspore": "MindSpore"}

DENSE_CANDIDATES = {
    MEMORY_BOUND: Candidate(memory_bound, "memory_bound", kinds=EVERY_KIND),
    **{
        OPTIMIZERS[rule].__name__: Candidate(
            partial(own_optimizer, rule), rule, kinds=EVERY_KIND, reference=REFERENCES.get(rule, "")
        )
        for rule in OWN_RULES
    },
    "NumPy": Candidate(numpy_loop, "torch"),
    "torch-default": Candidate(torch_optimizer, "torch", ("torch",)),
    "torch-foreach": Candidate(partial(torch_optimizer, foreach=True), "torch", ("torch",)),
    "torch-fused": Candidate(partial(torch_optimizer, fused=True), "torch", ("torch",), FUSED_KINDS),
    "numba": Candidate(numba_loop, "torch", ("numba",)),
    # The number of threads of these two cannot be set reliably.
    "optax": Candidate(optax_optimizer, "optax", ("jax", "optax"), obeys_threads=False),
    "MindSpore": Candidate(mindspore_optimizer, "mindspore", ("mindspore",), obeys_threads=False),
}
