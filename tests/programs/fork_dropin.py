"""Forks while another thread is in a step of the drop-in. Prints whether each child steps with its own gradients."""

import os
import signal
import threading
import warnings

import torch
from helpers.effort import times
from numpy_adagrad.torch import Adagrad

torch.set_num_threads(1)  # those of OpenMP do not survive a fork


def step_of_child() -> bool:
    """Whether gradients of zero change nothing. A gradient of another layout is checked anew."""
    for size in (1, 2):
        params = [tensor for tensor in optimizer.param_groups[0]["params"] if tensor.dim() == size]
        before = [param.detach().clone() for param in params]
        for param in optimizer.param_groups[0]["params"]:
            param.grad = None
        for param in params:
            param.grad = torch.zeros(param.shape[::-1]).T if size == 2 else torch.zeros(param.shape)
        optimizer.step()
        if not all(map(torch.equal, params, before)):
            return False
    return True


def go_on() -> None:
    while not stop.is_set():
        optimizer.step()


warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: the process that forks has threads
optimizer = Adagrad([torch.ones(3_000_000), torch.ones(7), torch.ones(1000, 300)])
for param in optimizer.param_groups[0]["params"]:
    param.grad = torch.ones_like(param)
optimizer.step()
stop, good = threading.Event(), True
other = threading.Thread(target=go_on)
other.start()
for _ in range(times(20, 100)):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(42 if step_of_child() else 1)
    good &= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
stop.set()
other.join()
print(good)
