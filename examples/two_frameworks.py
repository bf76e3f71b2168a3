"""The Adagrad of two frameworks beside ours: which bits differ, and how far they run apart.

One small layer, Dense(2, 3), is fitted with mean absolute error: in MindSpore, in torch, and in NumPy with both
rules, all from the same start on the same data. Exits with status 1 if a single bit differs where none may.

    pip install "numpy-adagrad[cli]" torch==2.13.0 mindspore==2.10.0
    python two_frameworks.py --out two_frameworks.png
"""

import argparse
import os
import sys

os.environ.setdefault("GLOG_v", "3")  # MindSpore logs errors only

import mindspore
import numpy as np
import torch
from matplotlib.figure import Figure
from mindspore import nn

from numpy_adagrad import MindSporeAdagrad, TorchAdagrad

STEPS = 300
RATE = 0.1

rng = np.random.default_rng(0)
x = rng.standard_normal((64, 2)).astype(np.float32)
y = (x @ [[1, -2, 3], [-1, 2, 0.5]] + [0.5, 0, -0.5] + 0.1 * rng.standard_normal((64, 3))).astype(np.float32)
W0, b0 = rng.uniform(-1, 1, (3, 2)).astype(np.float32), np.zeros(3, np.float32)


# Each training yields, at every step, the gradients and then the parameters that the step led to.


def in_torch(**arguments):
    layer = torch.nn.Linear(2, 3)
    layer.load_state_dict({"weight": torch.tensor(W0), "bias": torch.tensor(b0)})
    optimizer = torch.optim.Adagrad(layer.parameters(), **arguments)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.nn.functional.l1_loss(layer(inputs), targets).backward()
        optimizer.step()
        params = list(layer.parameters())
        yield [p.grad.numpy().copy() for p in params], [p.detach().numpy().copy() for p in params]


def in_mindspore(**arguments):
    layer = nn.Dense(2, 3, weight_init=mindspore.Tensor(W0), bias_init=mindspore.Tensor(b0))
    optimizer = nn.Adagrad(layer.trainable_params(), **arguments)
    error = nn.MAELoss()
    backward = mindspore.jit(
        mindspore.value_and_grad(lambda x, y: error(layer(x), y), None, optimizer.parameters)
    )
    inputs, targets = mindspore.Tensor(x), mindspore.Tensor(y)
    for _ in range(STEPS):
        _, grads = backward(inputs, targets)
        optimizer(grads)
        yield [g.asnumpy().copy() for g in grads], [p.asnumpy().copy() for p in optimizer.parameters]


def in_numpy(rule, grads_of_others=None, **arguments):
    W, b = W0.copy(), b0.copy()
    optimizer = rule([W, b], **arguments)
    for step in range(STEPS):
        grads = grads_of_others[step] if grads_of_others else own_grads(W, b)
        optimizer.step(grads)
        yield grads, [W.copy(), b.copy()]


def own_grads(W, b):
    error = x @ W.T + b - y
    d_error = np.sign(error) / np.float32(error.size)
    return d_error.T @ x, d_error.sum(axis=0)


def walk(training):
    """The gradients of every step, and the path: one row of all nine parameters per step."""
    grads, params = zip(*training, strict=True)
    return grads, np.array([np.concatenate([p.ravel() for p in step]) for step in params])


def differing_bits(path, other):
    patterns = path.view(np.uint32) ^ other.view(np.uint32)
    return int(np.unpackbits(patterns.view(np.uint8)).sum())


def apart(path, other):
    """The largest difference of a parameter, at every step."""
    return np.abs(path - other).max(axis=1)


def ulp(path, other):
    return np.abs(path - other).max() and (np.abs(path - other) / np.spacing(np.abs(other))).max()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="two_frameworks.png", help="the picture (default: %(default)s)")
    out = parser.parse_args().out
    mindspore.set_device("CPU")

    torch_grads, torch_path = walk(in_torch(lr=RATE, fused=True))
    loop_grads, loop_path = walk(in_torch(lr=RATE))
    mindspore_grads, mindspore_path = walk(in_mindspore(learning_rate=RATE))
    print(differing_bits(torch_path,walk(in_numpy(TorchAdagrad,torch_grads,lr=RATE))[1]))
    print(differing_bits(mindspore_path,walk(in_numpy(MindSporeAdagrad,mindspore_grads,learning_rate=RATE))[1]))
    o=walk(in_numpy(TorchAdagrad,lr=RATE))[1]; print(apart(torch_path,o).max(), ulp(o, torch_path), np.argmax(apart(torch_path,o)>1e-5))
    o=walk(in_numpy(MindSporeAdagrad,learning_rate=RATE))[1]; print(apart(mindspore_path,o).max(), ulp(o, mindspore_path))
    o=walk(in_numpy(TorchAdagrad,loop_grads,lr=RATE))[1]; print(apart(loop_path,o).max(), ulp(o, loop_path),(apart(loop_path,o)==0).sum())
    o=apart(walk(in_numpy(TorchAdagrad))[1],walk(in_numpy(MindSporeAdagrad))[1]); print(o.max(), o[-1],o[0])
    print(torch_path[-1],mindspore_path[-1])

main()
