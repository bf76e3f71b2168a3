"""Who steps: each candidate takes parameters and gradients and returns a function that makes one step.

All move the same arrays, and every accumulator is memory from NumPy (torch's own may have pages of another
size): what differs is the code alone.
"""

from functools import partial

import numpy as np
import torch
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, _core

LR = 0.01
EPS = 1e-10
ACCUM = 0.1
MINDSPORE_EPS = np.float32(1e-8)


def floor(params, grads):
    """No optimizer but the package's loop with next to no arithmetic: the time that memory alone takes."""
    sums = [np.zeros_like(p) for p in params]
    plan = _core.Plan("floor", params, sums, [], (), ("params", "state_sums", "grads"))
    which = np.zeros(len(params), np.int32)
    hypers = [(0.0, 0.0, 0.0, 0.0, False)]
    return partial(plan.step, [params], grads, which, hypers, 1.0, None, 1.0, "propagate")


def torch_rule(params, grads):
    return partial(TorchAdagrad(params, lr=LR).step, grads)


def mindspore_rule(params, grads):
    return partial(MindSporeAdagrad(params, accum=ACCUM, learning_rate=LR).step, grads)


def naive_numpy(params, grads):
    sums = [np.zeros_like(p) for p in params]

    def step():
        for p, s, g in zip(params, sums, grads, strict=True):
            s += g * g
            p -= LR * g / (np.sqrt(s) + EPS)

    return step


def torch_itself(params, grads, **implementation):
    tensors = [torch.from_numpy(p) for p in params]
    optimizer = torch.optim.Adagrad(tensors, lr=LR, **implementation)
    for tensor, g in zip(tensors, grads, strict=True):
        tensor.grad = torch.from_numpy(g)
        optimizer.state[tensor]["sum"] = torch.from_numpy(np.zeros_like(g))
    return optimizer.step


CANDIDATES = {
    "floor": floor,
    "TorchAdagrad": torch_rule,
    "MindSporeAdagrad": mindspore_rule,
    "NumPy": naive_numpy,
    "torch-default": torch_itself,
    "torch-foreach": partial(torch_itself, foreach=True),
    "torch-fused": partial(torch_itself, fused=True),
}
