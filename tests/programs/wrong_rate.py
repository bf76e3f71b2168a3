"""Run an example, given as the first argument, with a learning rate that is slightly wrong in TorchAdagrad."""

import runpy
import sys
from typing import Any
from unittest import mock

import numpy_adagrad


class WrongRate(numpy_adagrad.TorchAdagrad):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, lr=lr * 1.000001)


with mock.patch.object(numpy_adagrad, "TorchAdagrad", WrongRate):
    runpy.run_path(sys.argv.pop(1), run_name="__main__")
