"""Run a program with a build of the package whose torch rule has another epsilon."""

import runpy
import sys
from functools import partial
from pathlib import Path

import numpy_adagrad

setattr(numpy_adagrad, "TorchAdagrad", partial(numpy_adagrad.TorchAdagrad, eps=1.0))  # noqa: B010
sys.path.insert(0, str(Path(sys.argv[1]).parent))  # as Python does for a program
runpy.run_path(sys.argv[1], run_name="__main__")
