"""Run an example, given as the first argument, with a learning rate that is slightly wrong in torch's rule."""

import runpy
import sys
from typing import Any
from unittest import mock

import numpy_adagrad
import numpy_adagrad.torch


class WrongRate(numpy_adagrad.TorchAdagrad):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, lr=lr * 1.000001)


class WrongDropIn(numpy_adagrad.torch.Adagrad):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, lr=lr * 1.000001)


mock.patch.object(numpy_adagrad.torch, "Adagrad", WrongDropIn).start()
with mock.patch.object(numpy_adagrad, "TorchAdagrad", WrongRate):
    runpy.run_path(sys.argv.pop(1), run_name="__main__")
