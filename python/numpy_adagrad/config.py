"""The configuration, for bug reports."""

from __future__ import annotations

import platform

import numpy as np

from . import _core


def show_config() -> dict[str, str | int]:
    """Return the versions, the compiler, the selected instruction set, the OpenMP version and the number of threads.

    Returns
    -------
    dict
        ``threads`` is the current limit of the calling thread, as set by OMP_NUM_THREADS or threadpoolctl.

    Examples
    --------
    >>> from numpy_adagrad import show_config
    >>> show_config()["instruction_set"] in ("baseline", "v3", "v4")
    True
    """
    return {
        "numpy_adagrad": _core.version,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "compiler": _core.compiler,
        "instruction_set": _core.isa,
        "openmp": _core.openmp or "none",
        "threads": _core.max_threads(),
    }
