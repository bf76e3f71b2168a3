"""What the figures depend on goes into the result file."""

import os
import shlex
from importlib.metadata import version

import torch
from numpy_adagrad import _core

SETTINGS = ("OMP_", "GOMP_", "MKL_", "NUMPY_ADAGRAD_")


def pytest_benchmark_update_machine_info(config, machine_info):
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith(SETTINGS)]
    machine_info["processors"] = os.cpu_count()
    machine_info["threads"] = {"numpy-adagrad": _core.thread_limit(), "torch": torch.get_num_threads()}
    machine_info["isa"] = _core.isa
    machine_info["versions"] = {name: version(name) for name in ("numpy-adagrad", "numpy", "torch")}
    machine_info["command"] = shlex.join([*settings, "pytest", *config.invocation_params.args])
