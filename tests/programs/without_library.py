"""Calls a method of `MindSporeAdagrad` where a library is not installed and prints the error.

``python without_library.py LIBRARY METHOD PATH``
"""

import sys

import numpy as np
from numpy_adagrad import MindSporeAdagrad

library, method, path = sys.argv[1:]
sys.modules[library] = None  # type: ignore[assignment] # makes the import fail
try:
    getattr(MindSporeAdagrad([np.ones(3)]), method)(path)
except ImportError as error:
    print(error)
