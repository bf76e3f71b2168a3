"""Prints the number of threads of a step under two limits of threadpoolctl, with torch loaded first or second."""

import sys
from importlib import import_module

for name in (sys.argv[1], "torch", "numpy_adagrad"):
    import_module(name)

import numpy_adagrad  # noqa: E402 - the order is the first argument's
from threadpoolctl import threadpool_limits  # noqa: E402

for limit in (1, 3):
    with threadpool_limits(limit):
        print(numpy_adagrad.show_config()["threads"])
